"""The English words that the stand-in works with. Another language is another module of this shape."""

from __future__ import annotations

import re

from callpool.number_words import REPEATS as REPEATS
from callpool.number_words import SCALES as SCALES
from callpool.number_words import SOUNDS_LIKE as SOUNDS_LIKE
from callpool.number_words import TEENS as TEENS
from callpool.number_words import TENS as TENS
from callpool.number_words import UNITS as UNITS


def _words(text: str) -> list[str]:
    return text.split()


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


STOP_WORDS = _set(
    "hand something someone there "
    "a an and any are as ask asks asked at be been but by call caller callers calls can could "
    "customer did do does each for from function get give given gives go got had has have he hello "
    "her hi him his how i if in into is it its just know let like made make may me might much must my "
    "name need needs no not now of off ok okay on once one only or our out over per please return "
    "returned returns said say says set she should so some take tell than thank thanks that the their "
    "them then there these they this those to tool up use used user uses very want wants was we well "
    "were what when where which who why will with would yes you your number way today detail details "
    "information s m re ve ll d t"
)
"""Words that say nothing about which tool is meant."""

SYNONYMS = (
    "order purchase package parcel shipment",
    "book reserve reservation booking",
    "person human agent operator representative colleague somebody someone staff extension",
    "transfer connect forward handover redirect",
    "price cost charge",
    "weather forecast rain sunny",
    "temperature warm cold hot heat warmer colder cooler degree celsius fahrenheit thermostat",
    "table restaurant dinner lunch seat",
    "change update modify alter move edit",
    "cancel annul revoke",
    "delivery deliver arrive arrival eta ship",
    "carrier courier",
    "status state progress track trace whereabouts",
    "ticket complaint complain problem issue broken",
    "buy purchase",
    "appointment meeting visit",
    "light lamp lights",
    "schedule plan arrange",
    "guest guests people party",
)
"""Words that stand for one another. A word in several groups belongs to the first."""

FAREWELL = re.compile(
    # What the local engine hears for a "goodbye" that stands alone or after thanks.
    r"(?:^\W*|\bthank(?:s| you)\b.*\W)(?:good|to|too|could|the|de|du)[ -]?(?:buy|by|bay|bai)\W*$|"
    r"\b(good ?-?bye|bye|see you|so long|farewell|hang up|end (the|this) call|have a (nice|good|great) "
    r"(day|evening|one|weekend|night)|talk to you later)\b"
)
NOTHING_MORE = re.compile(
    r"\b(that('?s| is| was|'ll be| will be) (all|it|everything)|nothing (else|more)|no more questions|"
    r"(i'?m|i am) (done|all set))\b"
)
NEVER_MIND = re.compile(r"\b(never ?mind|forget (it|about it|that)|leave it|drop it)\b")
REPEAT = re.compile(
    r"\b((say|repeat) (that|it|this)|(can|could|would) you (please )?repeat|come again|pardon|"
    r"what did you say|(did not|didn'?t) (catch|hear|understand|get) (that|you|it)|"
    r"once more please|again please)\b"
)
THANKS = re.compile(r"\b(thank you|thanks|thank|cheers|appreciate)\b")
GREETING = re.compile(r"^\W*(hello|hi|hey|good (morning|afternoon|evening)|greetings)\b")
HOW_ARE_YOU = re.compile(r"\bhow (are you|is it going|do you do|'s it going)\b")
WHO_ARE_YOU = re.compile(
    r"\b((who|what) are you|who am i (talking|speaking) (to|with)|what('?s| is) your name|"
    r"are you ((a|an) )?(real|human|person|robot|machine|bot|computer|ai))\b"
)
ABILITIES = re.compile(
    r"\b(what can you do|how can you help|what do you do|can you help|help me|i need help|^\W*help\W*$)"
)
YES = re.compile(
    r"^\W*(yes|yeah|yep|yup|sure|correct|right|exactly|okay|ok|of course|please do|go ahead|certainly|"
    r"absolutely|that('?s| is) (right|correct|fine)|i do|it is|i am|do it|sounds good)\b"
)
NO = re.compile(r"^\W*(no|nope|nah|not|don'?t|do not|never|negative|i do ?n'?t|i am not|i'?m not|wrong)\b")
OTHER_ONE = re.compile(r"\b(another|different|other|else|new|second|next|wrong)\b")
NEGATION = re.compile(r"\b(no|not|without|never|don'?t|isn'?t)\W+(?:\w+\W+){0,2}$")
SEGMENT_END = re.compile(r"[.;!?]+(?!\d)|\b(?:and then|and also|and|then|also|plus)\b|,(?!\d)", re.IGNORECASE)
CLAUSE_END = re.compile(r"[.;!?]+(?!\d)|,(?!\d)")
LEAD_IN = re.compile(
    r"^\W*(?:(?:uh|um|er|erm|well|so|oh|yes|yeah|sure|okay|ok|please|hi|hello|no|actually|it'?s|it is|its|"
    r"that'?s|that is|that would be|this is|i'?d like|i would like|i want|i need|make it|let'?s say|say|for|"
    r"the|a|an|my|in|at|on|just|maybe|because|i think|probably)\b[\s,]*)+",
    re.IGNORECASE,
)
"""What people say before the answer itself."""
TEXT_LEAD_IN = re.compile(
    r"^\W*(?:(?:uh|um|er|erm|well|so|oh|yes|yeah|sure|okay|ok|please|because)\b[\s,.]*|"
    r"(?:it'?s|it is) that\b\s*)+",
    re.IGNORECASE,
)
REASON_CUE = re.compile(
    r"\b(?:because|about|regarding|concerning|saying that|saying|the reason is|"
    r"tell (?:him|her|them) (?:that )?)\s+(.+)$",
    re.IGNORECASE,
)
WISH_CUE = re.compile(
    r"\b(i(?: want| would like| need| wish| have|'d like) "
    r"(?:to (?:discuss|talk|complain|ask|know|dispute)|a (?:question|complaint|problem))\b.*)$",
    re.IGNORECASE,
)
NAME_CUE = re.compile(
    r"\b(?:(?:my|the) (?:full |last |first )?name(?: is|'s)|name'?s|i am called|call me|this is|"
    r"under(?: the name(?: of)?)?|i am|i'm|speaking with)\s+((?:[^\W\d_][\w'-]*\s?){1,4})",
    re.IGNORECASE,
)
WEAK_NAME_CUE = re.compile(r"^(?:this is|under|i am|i'm)\b", re.IGNORECASE)
"""A name after these starts with a capital letter; "I am looking for" is none."""
NOT_A_NAME = _set(
    "a an and the not no yes yeah from in at to for of my your is was it that this here there looking "
    "calling trying wondering sorry afraid sure speaking going having please number order i you me "
    "just about with on so but or it's what where when why how who which can could would will do does "
    "did okay ok hello hi thanks thank uh um"
)

WEEKDAYS = _words("monday tuesday wednesday thursday friday saturday sunday")
MONTHS = _words("january february march april may june july august september october november december")
ORDINALS = {
    word: number
    for number, word in enumerate(
        _words(
            "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
            "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth twenty-first "
            "twenty-second twenty-third twenty-fourth twenty-fifth twenty-sixth twenty-seventh twenty-eighth "
            "twenty-ninth thirtieth thirty-first"
        ),
        1,
    )
}

EXCLAMATIONS = _set("oh o")
"""Before the first digit these may be a zero, and may be no more than a sigh."""
SOUNDS_LIKE_FIRST = _set("won tree fife")
"""Those that also count before the first digit."""
DIGIT_FILLERS = _set("uh um er erm then dash hyphen comma space and it's its")
CORRECTIONS = _set("no sorry rather correction wait mean")
SWITCH_NAMES = _set("on enabled enable active power powered state")
SWITCH = re.compile(r"\b(on|off)\b")
COUNTS = {"couple": 2.0, "pair": 2.0, "dozen": 12.0, "half": 0.5}

DIGIT_NAMES = _set(
    "number id code pin digits zip postcode account reference ref phone telephone mobile extension"
)
QUANTITY_NAMES = _set("quantity amount count age size people guests persons many total")
TEXT_NAMES = _set(
    "reason summary address message text note notes comment comments description question query "
    "details subject body content feedback issue problem request complaint instructions"
)
DATE_NAMES = _set("date day when deadline birthday weekday")
TIME_NAMES = _set("time hour clock")
PERSON_NAMES = _set("name fullname surname firstname lastname who")
THING_NAMES = _set(
    "item product city street company file room place country event song tool playlist list project "
    "brand model"
)
"""Before `name` these mean the name of a thing."""
PLACE_NAMES = _set("city place location destination country town area region origin airport station store")
GOODS_NAMES = _set("item product article dish drink meal goods food")
PLACE_CUES = {"origin": "from", "destination": "to"}
ACQUIRE = "order|buy|get|want|like|purchase|need|have|take"

GOODBYE_TOOL = re.compile(
    r"\b(end|finish|terminate|close|hang)[ _]?(the |this |up )?_?(call|conversation|session|phone|up)\b"
)
SILENT_TOOL = re.compile(r"(don'?t|do not|without) (generate|say|speak|respond|add)", re.IGNORECASE)


class Say:
    """Whole phrases. `{}` takes what is named in the caller's own business."""

    hello = "Hello. How can I help you?"
    thanks = "You are welcome. Is there anything else I can do?"
    how_are_you = "I am fine, thank you. How can I help you?"
    who_am_i = "I am an automated assistant. How can I help you?"
    goodbye = "Goodbye, and thank you for calling."
    nice_day = "Have a nice day."
    never_mind = "All right. What else can I do for you?"
    left_as_is = "All right, I have left it as it is."
    nothing_to_repeat = "I have not said anything yet. How can I help you?"
    what_else = "What can I do for you?"
    can_help = "I can {}."
    cannot_tell = "I am sorry, I did not understand that."
    not_caught = "Sorry, I did not catch that."
    heard_digits = "Sorry, I heard {}."
    say_digits = "Please say the {}{} again, one digit at a time."
    shall_i = "Shall I go ahead?"
    done = "Done."
    nothing_found = "I found nothing."
    sorry = "I am sorry."
    went_wrong = "I am sorry, that did not work."
