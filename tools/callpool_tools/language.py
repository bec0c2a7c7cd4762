"""Speaking another language."""

from __future__ import annotations

from typing import Any

from livekit.agents import FunctionTool, RunContext, ToolError, function_tool

from callpool.call import Call
from callpool.hand_off import conversation_of
from callpool.language import UnspokenLanguage


def switch_language_tool() -> FunctionTool[Any, Any]:
    """`switch_language(language)`: the call goes on in another language."""

    @function_tool
    async def switch_language(ctx: RunContext[Call], language: str) -> str:
        """Go on in another language. Call this when the caller asks for one, not when they already speak it.

        Args:
            language: The language's name or code, such as German or de.
        """
        try:
            name = await conversation_of(ctx).languages.switch(language)
        except UnspokenLanguage as error:
            raise ToolError(f"{error} Tell the caller, and go on in the language spoken so far.") from error
        return f"From now on speak {name}, and nothing else. Answer the caller in it."

    return switch_language
