"""German words, and the English that the stand-in understands them by."""

from __future__ import annotations

MARKERS = (
    "der die das den dem des und ist sind ich sie "
    "er es nicht mein meine meinen meiner meinem wo wann wie wer "
    "warum bitte kann konnen konnten mochte will hatte habe haben "
    "fur auf mit zu ein eine einen einer ja nein "
    "danke hallo guten tag morgen von bei was das doch "
    "auch noch oder aber heisse name bin wird wurde nach an "
    "am im ihre ihren ihnen sich wenn dass deutsch bestellung paket adresse nummer lieferung stimmt richtig "
    "genau tschuss wiederhoren wiedersehen gern gerne mir mich ab aus"
)
"""Common words, folded: they tell that a text is German."""

PHRASES = """
auf wiederhören|auf wiedersehen|wiederhören|tschüss|tschüß|tschau|schönen tag noch|bis bald = goodbye
das war alles|das wäre alles|das ist alles|das war es = that is all
das wars|das war's|sonst nichts|nichts mehr|nichts weiter = that is all
vergessen sie es|vergessen sie das|schon gut|lassen sie es = never mind
noch einmal bitte|wie bitte|können sie das wiederholen = come again
bitte wiederholen|noch mal bitte|wiederholen sie das bitte = come again
vielen dank|danke schön|danke sehr|herzlichen dank|danke|dankeschön = thank you
guten tag|guten morgen|guten abend|grüß gott|hallo|grüezi|servus = hello
wie geht es ihnen|wie geht es|wie geht's = how are you
wer sind sie|sind sie ein mensch|sind sie ein roboter|sind sie ein computer|mit wem spreche ich = who are you
was können sie|können sie mir helfen|ich brauche hilfe = what can you do
ja|jawohl|jo|doch = yes
stimmt|richtig|genau|korrekt|das stimmt|ganz genau = correct
gerne|gern|in ordnung|einverstanden|okay|passt|machen sie das|bitte machen sie das = yes, please do
nein|nee|ne = no
stopp|halt|moment mal = wait
einen moment|einen augenblick|moment|augenblick|sekunde = one moment
ich heiße|ich heisse|mein name ist|mein name lautet|hier ist = my name is
über = about
es geht um|geht es um|es handelt sich um|wegen = about
hier = here
hier spricht|auf den namen|unter dem namen|der name ist|der name lautet|mein name = my name is
ich bin = i am
soll ich|darf ich|kann ich sie = shall i
möchten sie|wollen sie|würden sie gern|würden sie gerne = would you like to
name|namen|vorname*|nachname*|vor und nachname|vor- und nachname|familienname* = name
bestellnummer*|auftragsnummer*|nummer der bestellung = order number
nummer = number
bestellstatus = order status
wo befindet sich|wo ist|wo bleibt|wo sind|wo steckt = where is
wo = where
wann kommt|wann kommen = when does arrive
wann = when
wie viel|wieviel|wie viele = how many
wie = how
warum|wieso|weshalb = why
was = what
welche|welcher|welches = which
noch einmal bestellen|nochmal bestellen|nochmals bestellen = reorder
erneut bestellen|nachbestell*|noch mal bestellen|wieder bestellen = reorder
noch einmal dasselbe|das gleiche nochmal|dasselbe nochmal|nochmal das gleiche|nochmal dasselbe = same again
noch einmal das gleiche|das gleiche noch einmal|noch mal dasselbe|dasselbe noch einmal = same again
andere bestellung|anderen bestellung|eine andere|eine andere bestellung|weitere bestellung = different order
neue bestellung|etwas bestellen|neu bestellen = place an order
bestellen|kaufen|erwerben = buy
bestellt|gekauft = ordered
bestellung*|auftrag*|sendung* = order
paket*|päckchen* = parcel
ware*|artikel = item
lieferadresse*|anschrift*|adresse*|wohnort = address
lieferstatus|sendungsverfolgung|sendungsstatus = delivery status
liefer*|zustell*|zugestellt = delivery
geliefert = delivered
ankommen|angekommen|ankommt|kommt|eingetroffen|ankunft|komme|kommen = arrive
erhalten|bekommen = received
status|stand = status
verfolgen = track
stornier*|abbestell*|widerruf* = cancel
ändern|ändere|änderung|geändert|umändern = change
umgezogen|umziehe = moved
zurückgeben|zurückschicken|zurücksenden|rückgabe|retoure*|zurück = return
umtausch* = exchange
erstatt*|rückerstattung|geld zurück = refund
rechnung* = bill
beschwer* = complaint
problem*|reklam* = problem
kaputt|defekt*|beschädigt* = broken
falsche|falscher|falsches|falschen|falsch = wrong
fehlt = missing
eine notiz = leave a note
verbinden sie mich|stellen sie mich durch|durchstellen|verbinden = connect me
mitarbeiter*|menschen|mensch|person|berater*|kollege*|kundendienst|kundenservice|richtigen menschen = human
chef*|vorgesetzt* = manager
apparat|durchwahl|nebenstelle = extension
sprechen|reden|unterhalten = speak
auf deutsch|deutsch = german
auf englisch|englisch = english
auf spanisch|spanisch = spanish
auf französisch|französisch = french
auf italienisch|italienisch = italian
ich möchte|ich will|ich würde gern|ich würde gerne|ich hätte gern = i want
ich hätte gerne|ich brauche|möchte|hätte gern|hätte gerne = i want
ich habe keine|ich habe nicht|ich weiß nicht|ich weiß die|habe ich nicht = i do not have
ich = i
können sie|könnten sie|kann ich|könnte ich|kann|können = can you
bitte = please
mein|meine|meinen|meiner|meinem|meines = my
sie = you
noch|auch = also
und = and
oder = or
nicht|kein|keine|keinen = not
ein|eine|einen|einer|eines|einem = a
der|die|das|den|dem|des = the
es ist|sie lautet|es lautet|die lautet|lautet = it is
ist|sind = is
nach|zu|an|auf|zur = to
in|im = in
für = for
mit = with
von = of
wurde|war|wird = was
es = it
habe|haben|hat|hatte = have
ignorieren|ignoriere|vergiss|missachte* = ignore
anweisung*|instruktion*|regeln = instructions
alle|sämtliche = all
vorlesen|lies|lesen = read
idiot*|blöd*|dumm*|scheiß*|verdammt*|arschloch = idiot
menge|stück|anzahl = pieces
mach|machen = make
"""
"""German, several ways of saying it between bars, and the English. The longest phrase is taken; a word that
ends in a star stands for all that begin so."""
