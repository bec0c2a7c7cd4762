"""The agents: one module, one prompt and one rules file each."""
