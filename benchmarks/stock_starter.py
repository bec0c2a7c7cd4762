"""The benchmark's other side: the SDK's documented starter, what a developer has after the quickstart.

Everything is left at its default but the endpoints; the VAD's model is loaded in the prewarm function, as the
documentation advises.
"""

import os

from livekit.agents import Agent, AgentServer, AgentSession, JobContext, JobProcess, cli, inference
from livekit.plugins import cartesia, deepgram, openai, silero

# Its default load is the CPU, at which the server stops dispatching: the benchmark measures turns, not that.
server = AgentServer(host="127.0.0.1", port=0, load_threshold=float("inf"), load_fnc=lambda: 0.0)


def prewarm(proc: JobProcess) -> None:
    proc.userdata["vad"] = silero.VAD.load()


server.setup_fnc = prewarm


@server.rtc_session(agent_name="stock")
async def entrypoint(ctx: JobContext) -> None:
    origin = os.environ["STOCK_PROVIDERS"]
    session: AgentSession[None] = AgentSession(
        stt=deepgram.STT(model="nova-3", api_key="local", base_url=f"{origin}/v1/listen"),
        llm=openai.LLM(model="gpt-4.1-mini", api_key="local", base_url=f"{origin}/v1"),
        tts=cartesia.TTS(model="sonic-3", api_key="local", base_url=origin),
        vad=ctx.proc.userdata["vad"],
        turn_handling={"turn_detection": inference.TurnDetector(version="v1-mini")},
    )
    await session.start(agent=Agent(instructions="You are a helpful voice assistant."), room=ctx.room)
    await session.generate_reply(instructions="Greet the user and offer your assistance.")


if __name__ == "__main__":
    cli.run_app(server)
