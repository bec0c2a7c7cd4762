"""The English words that the stand-in works with. Other languages reach it as an English gloss (`gloss`)."""

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
    r"(?:^\W*|\bthank(?:s| you)\b.*\W)(?:good|to|too|could|the|de|du)[ -]?(?:buy|by|bay|bai|bank|boy)\W*$|"
    r"\b(good ?-?bye|bye|see you|so long|farewell|hang up|end (the|this) call|have a (nice|good|great) "
    r"(day|evening|one|weekend|night)|talk to you later)\b"
)
NOTHING_MORE = re.compile(
    r"\b(that('?s| is| was|'ll be| will be) (all|it|everything)|nothing (else|more)|no more questions|"
    r"(i'?m|i am) (done|all set))\b"
)
NEVER_MIND = re.compile(
    r"\b(never ?mind|forget (it|about it|that)|leave it|drop it|scratch that|"
    r"i('?ve| have)? changed my mind\W*$)\b"
)
ANYTHING_ELSE = re.compile(
    r"\b(anything else|something else|what else|any other (question|thing)|(what|how) can i (do|help)|"
    r"sonst noch|noch etwas|(was|wie) kann ich|algo más|en qué (más )?puedo)\b",
    re.IGNORECASE,
)
"""A question of the agent's that leaves nothing open. Its own words are not glossed."""
ASKING = re.compile(
    r"\?|\b(please (say|tell|spell|read|repeat|give|try)|tell me|one moment|moment,? bitte|"
    r"nennen sie|sagen sie|buchstabieren sie|wiederholen sie|dígame|un momento|repita|deletree|"
    r"take your time)\b",
    re.IGNORECASE,
)
"""Words of the agent's after which the caller still waits for an answer."""
OFFERED_PERSON = re.compile(
    r"\b(person|human|colleague|somebody|someone|operator|representative|transfer|connect|put you through|"
    r"mensch\w*|kolleg\w*|mitarbeiter\w*|verbinden|persona|compañer\w*|agente)\b[^.!?]*\?",
    re.IGNORECASE,
)
HOLD_ON = re.compile(
    r"\b((just )?one (moment|second|sec|minute)|(just|one|wait) a (moment|second|minute|sec)|"
    r"a (moment|second|minute|sec) please|"
    r"hold on|hang on|let me (see|look|check|find|think|get)|bear with me|"
    r"(give me|just|wait) a (moment|second|minute|sec))\b"
)
VAGUE_WISH = re.compile(
    r"^\W*(?:(?:uh|um|well|hi|hello|hey|yes|so|good (?:morning|afternoon|evening)|please)\W+)*"
    r"(?:i(?:'?d| would|'?ve| have|'?m)? (?:like|want|need|have|got|had)?\W*(?:to )?"
    r"(?:a |ask |you |some |got )*"
    r"(?:question|help|problem|something|query|favour|issue)s?|can you help(?: me)?|could you help(?: me)?|"
    r"i need (?:some )?help|can i ask (?:you )?(?:something|a question))\W*(?:please|with something)?\W*$"
)
"""Says that there will be a wish, but not yet which."""
SENSE = re.compile(
    r"\b(i|i'?m|i'?ve|i'?d|my|me|we|our|you|your|where|when|why|how|what|which|who|can|could|would|is|are|"
    r"want|need|please|about)\b"
)
"""A word of these makes a sentence that was understood as such; without one it may be noise."""
QUESTION = re.compile(r"\b(where|when|why|how|what|which)\b")
REPEAT = re.compile(
    r"\b((say|repeat) (that|it|this)|(can|could|would) you (please )?repeat|come again|pardon|"
    r"what did you say|(did not|didn'?t) (catch|hear|understand|get) (that|you|it)|"
    r"once more please|(?<!same )again please)\b"
)
THANKS = re.compile(r"\b(thank you|thanks|thank|cheers|appreciate)\b")
GREETING = re.compile(
    r"^\W*(hello|hi|hey|good (morning|afternoon|evening|day)|greetings)( there)?\b", re.IGNORECASE
)
OWN_MATTER = re.compile(r"\b(my|mine|where|when|order|parcel|package|want|need|would like|haven't|hasn't)\b")
HOW_ARE_YOU = re.compile(r"\bhow (are you|is it going|do you do|'s it going)\b")
WHO_ARE_YOU = re.compile(
    r"\b((who|what) are you|who am i (talking|speaking) (to|with)|what('?s| is) your name|"
    r"are you ((a|an) )?(real|human|person|robot|machine|bot|computer|ai))\b"
)
ABILITIES = re.compile(
    r"\b(what can you do|how can you help|what do you do|can you help|help me|i need help|^\W*help\W*$)"
)
YES = re.compile(
    r"^\W*(?:(?:uh|um|well|oh|ah|hmm|and|so|i think|i guess|i'?d say)\W+)*"
    r"(yes|yeah|yep|yup|ya|sure|correct|right|exactly|okay|ok|of course|please do|please go|please|go ahead|"
    r"go on|go for it|certainly|absolutely|definitely|perfect|fine|great|confirm|confirmed|i confirm|i agree|"
    r"agreed|that('?s| is| sounds| would be|'d be) (right|correct|fine|good|great|perfect|it|ok|"
    r"exactly right|okay|lovely)|"
    r"that works|i do|(?:i am|i'm) (?:quite |very )?sure|it is|i am|"
    r"i would|do it|do that|do so|sounds (good|right|fine|great)|you can|you may|"
    r"all right|alright|by all means|why not|indeed|uh-?huh|mm-?hmm)\b"
)
NO = re.compile(
    r"^\W*(?:(?:uh|um|well|oh|ah|hmm|and|so|actually|hold on|sorry)\W+)*"
    r"(no|nope|nah|not|don'?t|do not|never|negative|i do ?n'?t|i am not|i'?m not|wrong|stop|wait|rather not|"
    r"i'?d rather not|better not|please don'?t|that('?s| is| was) (wrong|not|incorrect)|incorrect|"
    r"i('?ve| have)? changed my mind|leave it)\b"
)
WAIT = re.compile(r"^\W*(?:(?:uh|um|oh|hmm|okay|sorry)\W+)*(?:wait|hold on|one moment|stop)\b")
ALSO = re.compile(r"\b(also|too|as well|another thing|one more thing|besides|in addition)\b")
WANT = re.compile(r"\b(like|want|need|get|got any|send me|have|take|order|buy|give me|two more|another)\b")
SAME = re.compile(r"\b(the same|same again|once more|same thing)\b")
OTHER_ONE = re.compile(r"\b(another|different|other|else|new|second|next|wrong)\b")
OTHER_NUMBER = re.compile(
    r"\b(another|different|other|second|next|wrong)( of my)? "
    r"(orders?|number|account|purchase|parcel|package)\b"
)
"""Words after which what the instructions know is not what is meant."""
_COUNTED = "|".join([*UNITS, *TEENS, *TENS])
ORDER_VERB = re.compile(
    r"\b(?<!in )(to|can i|could i|may i|let me|please|i'll|i will|we'll|and|wanna|just|now) order\b"
    r"(?! (?:number|status|is|was|has|from|that i|i|which|with|\d))|"
    rf"(?:^|(?<=[,.;!?] ))order(?= (?:me )?(?:an?|some|another|\d\d?|{_COUNTED})\s+"
    rf"(?!(?:{_COUNTED})\b)[a-z]{{3}})",
    re.IGNORECASE,
)
"""Where "order" is what the caller does, and no thing."""
NEGATION = re.compile(r"\b(no|not|without|never|don'?t|isn'?t)\W+(?:\w+\W+){0,2}$")
SEGMENT_END = re.compile(r"[.;!?]+(?!\d)|\b(?:and then|and also|and|then|also|plus)\b|,(?!\d)", re.IGNORECASE)
CLAUSE_END = re.compile(r"[.;!?]+(?!\d)|,(?!\d)")
LEAD_IN = re.compile(
    r"^\W*(?:(?:uh|um|er|erm|well|so|oh|yes|yeah|sure|okay|ok|fine|please|hi|hello|no|actually|"
    r"it'?s|it is|its|that'?s|that is|that would be|this is|i'?d like|i would like|i want|i need|"
    r"make it|let'?s say|say|for|the|a|an|my|in|at|on|just|maybe|because|i think|probably)\b[\s,]*)+",
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
FILLERS = re.compile(r"\b(?:uh|um|er|erm)\b,?", re.IGNORECASE)
WISH_CUE = re.compile(
    r"\b(i(?: want| would like| need| wish| have|'d like) "
    r"(?:to (?:discuss|talk|complain|ask|know|dispute)|talk about|a (?:question|complaint|problem))\b.*)$",
    re.IGNORECASE,
)
_RELATIVES = "wife|husband|partner|mother|father|mom|mum|dad|son|daughter|sister|brother|friend|boss"
NAME_CUE = re.compile(
    r"\b(?:(?:my|the|her|his)(?: \w+'s)? (?:full |last |first )?name(?: is|'s| was|:)|name'?s|name is|"
    r"i am called|i'?m called|call me|they call me|(?:under|on|in) the name(?: of)?|"
    r"(?:this is|it'?s|it is|that'?s|that is|under|i am|i'm|speaking (?:with|to)|you'?re talking to|you have|"
    r"registered (?:to|under)|placed by|for|"
    rf"my (?:{_RELATIVES}),?)(?= (?-i:[A-Z])))\s+"
    r"((?:[^\W\d_][\w'’.-]*,?\s?){1,5})",
    re.IGNORECASE,
)
WEAK_NAME_CUE = re.compile(
    rf"^(?:my (?:{_RELATIVES})|this is|under(?! the)|i am|i'm(?! called)|it'?s|it is|that'?s|that is|"
    r"you have|for|speaking|placed|registered)\b",
    re.IGNORECASE,
)
FIRST_AND_LAST = re.compile(
    r"\bfirst name(?: is|'s)?\W+(\w+)\W+(?:and )?(?:my |the )?"
    r"(?:last name|surname|family name)(?: is|'s)?\W+(\w+)",
    re.IGNORECASE,
)
NAME_AFTER_CUE = re.compile(
    r"(?:^|[.,;!?] ?|\b(?:hello|hi|yes|hey)\W+)((?:[A-Z][\w'-]*\s){1,3})"
    r"(?:is my (?:full )?name|is the name|speaking|here|calling|on the (?:line|phone))\b"
)
"""A name before these: "James Miller speaking"."""
TITLES = _set("mr mrs ms miss mister missus madam sir dr doctor herr frau señor señora don doña")
"""A name after these starts with a capital letter; "I am looking for" is none."""
NOT_A_NAME = _set(
    "a an and the not no yes yeah from in at to for of my your is was it that this here there looking "
    "calling trying wondering sorry afraid sure speaking going having please number order i you me "
    "just about with on so but or it's what where when why how who which can could would will do does "
    "did okay ok hello hi thanks thank uh um speaking here calling too also if then well actually sure "
    "right correct wrong still waiting interested happy unhappy angry confused unable afraid certain "
    "name is'nt isn't don't am are been be being by he she we they calling from regarding concerning "
    "track cancel return reorder buy change find sorry good great fine done back only very really quite "
    "ready new old late early missing broken damaged not never nothing something everything all some any "
    "i'm we're you're they're he's she's what's where's who's first last full full-name surname forename "
    "let think see tell give say look check repeat hang hold connect transfer put speak talk stop wait "
    "listen forget got have that's this's it'll i'll i'd i've you've there's monday tuesday wednesday "
    "thursday friday saturday "
    "sunday today tomorrow urgent important ridiculous terrible one two three four five six seven eight nine "
    "zero double delivery delivered parcel package item items lamp pay paid bill refund me us him her them"
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
POINTING = _set("this that the first second other another which last next wrong right same")
"""Before "one" these make it a thing and no digit."""
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
STREET_ABBREVIATIONS = _words("St Rd Ave Av Blvd Dr Ln Sq Ct Pl Hwy Apt Ste No Str Nr")
PLACE_NAMES = _set("city place location destination country town area region origin airport station store")
GOODS_NAMES = _set("item product article dish drink meal goods food")
PLACE_CUES = {"origin": "from", "destination": "to"}
LANGUAGE_NAMES = {"en": "English", "de": "German", "es": "Spanish"}
LANGUAGES = _set(
    "english german spanish french italian portuguese dutch polish turkish russian arabic chinese japanese"
)
ONE_OF = re.compile(
    r"\b(?:order|buy|get|want|like|purchase|need|have|take|me|one of|for)\s+(?:also\s+)?"
    r"(?P<one>an?|another)\s+(?!few|couple|pair|dozen|lot|bunch|new|order|question|problem)",
    re.IGNORECASE,
)
"""The article that says how many of a thing are wanted."""
MONEY = re.compile(r"\s*(?:dollars?|euros?|cents?|pounds?|bucks|usd)\b", re.IGNORECASE)
"""What makes the number before it a price."""
LONG_CODE = 10_000
"""A number of so much is the number of something rather than how many of it."""
ACQUIRE = "order|buy|get|want|like|purchase|need|have|take"

GOODBYE_TOOL = re.compile(
    r"\b(end|finish|terminate|close|hang)[ _]?(the |this |up )?_?(call|conversation|session|phone|up)\b"
)
SILENT_TOOL = re.compile(r"(don'?t|do not|without) (generate|say|speak|respond|add)", re.IGNORECASE)
