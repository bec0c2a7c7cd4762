"""The three providers: which endpoint is used, and whether it accepts the key."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp

from callpool.caller.speech import CARTESIA_VERSION, why
from callpool.doctor.finding import Finding
from callpool.provider_settings import Provider
from callpool.running import Running
from callpool.settings import Settings


@dataclass(frozen=True)
class Endpoint:
    """A provider as it would be reached, and cheap requests that need its key."""

    provider: Provider
    base_url: str
    headers: dict[str, str]
    paths: tuple[str, ...]
    """Tried in turn until one is answered: not every server has them all."""


def endpoint(settings: Settings, provider: Provider) -> Endpoint:
    match provider:
        case "deepgram":
            headers = {"Authorization": f"Token {settings.deepgram.key}"}
            return Endpoint(provider, settings.deepgram.base_url, headers, ("/v1/auth/token", "/v1/projects"))
        case "openai":
            headers = {"Authorization": f"Bearer {settings.openai.key}"}
            return Endpoint(provider, settings.openai.base_url, headers, ("/models",))
        case "cartesia":
            headers = {"X-API-Key": settings.cartesia.key, "Cartesia-Version": CARTESIA_VERSION}
            return Endpoint(provider, settings.cartesia.base_url, headers, ("/voices?limit=1",))


async def key(
    http: aiohttp.ClientSession, settings: Settings, provider: Provider, running: Running | None
) -> Finding:
    """Whether the provider can be reached and accepts the key that `settings` hold for it."""
    variable = f"{provider.upper()}_API_KEY"
    local = settings.is_local(provider)
    if local and not (running and running.providers):
        return Finding(
            provider,
            None,
            "no key and no base URL",
            f"`make up` stands in for it on this machine; or set {variable}",
        )
    used = endpoint(settings, provider)
    base_url = used.base_url.rstrip("/")
    where = f"{base_url} (local provider)" if local else base_url
    statuses: list[int] = []
    try:
        for path in used.paths:
            async with http.get(base_url + path, headers=used.headers) as answer:
                statuses.append(answer.status)
            if answer.ok:
                break
    except aiohttp.ClientError as error:
        return Finding(
            provider,
            False,
            f"{where} cannot be reached ({why(error)})",
            f"look at {provider.upper()}_BASE_URL and the network",
        )
    # Some servers refuse what they do not have: one path that is open speaks for the key.
    status = min(statuses, key=lambda one: (one >= 300, one not in (401, 403)))
    return judged(provider, where, status, has_key=f"{provider}.api_key" in settings.given)


def judged(provider: Provider, where: str, status: int, *, has_key: bool) -> Finding:
    """What the answer to an authenticated request says."""
    variable = f"{provider.upper()}_API_KEY"
    match status:
        case 401 | 403:
            advice = f"set {variable} to a valid key" if has_key else f"set {variable}"
            return Finding(provider, False, f"{where} refuses the key ({status})", advice)
        case 404 | 405:
            return Finding(provider, True, f"{where} can be reached; it has nothing to check a key with")
        case 429:
            return Finding(
                provider, None, f"{where} answers 429", "too many requests, or the quota is used up"
            )
        case _ if 200 <= status < 300:
            return Finding(provider, True, f"{where} accepts the {'key' if has_key else 'placeholder key'}")
        case _:
            return Finding(
                provider, False, f"{where} answers {status}", "see the provider's status page or log"
            )
