"""The stand-in's own sentences in each language. `{}` takes what is named in the caller's own business."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Say:
    """Whole phrases of one language."""

    hello: str = "Hello. How can I help you?"
    thanks: str = "You are welcome. Is there anything else I can do?"
    how_are_you: str = "I am fine, thank you. How can I help you?"
    who_am_i: str = "I am an automated assistant. How can I help you?"
    goodbye: str = "Goodbye, and thank you for calling."
    nice_day: str = "Have a nice day."
    never_mind: str = "All right. What else can I do for you?"
    left_as_is: str = "All right, I have left it as it is."
    nothing_to_repeat: str = "I have not said anything yet. How can I help you?"
    what_else: str = "What can I do for you?"
    what_about: str = "Of course. What is it about?"
    take_your_time: str = "Take your time."
    can_help: str = "I can {}."
    cannot_tell: str = "I am sorry, I did not understand that."
    not_caught: str = "Sorry, I did not catch that."
    heard_digits: str = "Sorry, I heard {}."
    say_digits: str = "Please say the {}{} again, one digit at a time."
    digits_of: str = "{} digits of the "
    shall_i: str = "Shall I go ahead?"
    done: str = "Done."
    nothing_found: str = "I found nothing."
    sorry: str = "I am sorry."
    went_wrong: str = "I am sorry, that did not work."


SAYINGS = {
    "en": Say(),
    "de": Say(
        hello="Guten Tag. Was kann ich für Sie tun?",
        thanks="Gern geschehen. Kann ich sonst noch etwas für Sie tun?",
        how_are_you="Danke, gut. Was kann ich für Sie tun?",
        who_am_i="Ich bin ein automatischer Assistent. Was kann ich für Sie tun?",
        goodbye="Auf Wiederhören, und danke für Ihren Anruf.",
        nice_day="Einen schönen Tag noch.",
        never_mind="In Ordnung. Was kann ich sonst noch für Sie tun?",
        left_as_is="In Ordnung, ich habe nichts geändert.",
        nothing_to_repeat="Ich habe noch nichts gesagt. Was kann ich für Sie tun?",
        what_else="Was kann ich für Sie tun?",
        what_about="Gern. Worum geht es?",
        take_your_time="Lassen Sie sich Zeit.",
        can_help="Ich kann Ihnen helfen mit: {}.",
        cannot_tell="Das habe ich leider nicht verstanden.",
        not_caught="Entschuldigung, das habe ich nicht verstanden.",
        heard_digits="Entschuldigung, ich habe {} verstanden.",
        say_digits="Bitte nennen Sie {}{} noch einmal, Ziffer für Ziffer.",
        digits_of="",
        shall_i="Soll ich das so machen?",
        done="Erledigt.",
        nothing_found="Ich habe nichts gefunden.",
        sorry="Das tut mir leid.",
        went_wrong="Das hat leider nicht geklappt.",
    ),
    "es": Say(
        hello="Buenos días. ¿En qué puedo ayudarle?",
        thanks="De nada. ¿Puedo ayudarle en algo más?",
        how_are_you="Muy bien, gracias. ¿En qué puedo ayudarle?",
        who_am_i="Soy un asistente automático. ¿En qué puedo ayudarle?",
        goodbye="Adiós, y gracias por llamar.",
        nice_day="Que tenga un buen día.",
        never_mind="De acuerdo. ¿En qué más puedo ayudarle?",
        left_as_is="De acuerdo, lo he dejado como está.",
        nothing_to_repeat="Todavía no he dicho nada. ¿En qué puedo ayudarle?",
        what_else="¿En qué puedo ayudarle?",
        what_about="Claro. ¿De qué se trata?",
        take_your_time="Tómese su tiempo.",
        can_help="Puedo ayudarle con: {}.",
        cannot_tell="Lo siento, no le he entendido.",
        not_caught="Perdone, no le he entendido.",
        heard_digits="Perdone, he entendido {}.",
        say_digits="Dígame {}{} otra vez, cifra por cifra.",
        digits_of="",
        shall_i="¿Quiere que lo haga?",
        done="Hecho.",
        nothing_found="No he encontrado nada.",
        sorry="Lo siento.",
        went_wrong="Lo siento, no ha funcionado.",
    ),
}

LANGUAGES = tuple(SAYINGS)
