"""Spanish words, and the English that the stand-in understands them by."""

from __future__ import annotations

MARKERS = (
    "el la los las un una unos de del y es son yo usted no mi mis donde cuando como quien por favor puede "
    "podria puedo quiero quisiera tengo para con en que si "
    "gracias hola buenos buenas dias tardes se me le lo "
    "su pero tambien o esta estan ha he soy llamo nombre numero pedido paquete direccion espanol adios "
    "correcto exacto al cual necesito quero llegado hay"
)
"""Common words, folded: they tell that a text is Spanish."""

PHRASES = """
adiós|hasta luego|hasta la vista|hasta pronto|chao|buen día = goodbye
eso es todo|es todo|nada más|eso era todo|nada mas gracias = that is all
olvídelo|no importa|déjelo = never mind
puede repetir|repita por favor|otra vez por favor|cómo dice|perdón = come again
muchas gracias|gracias = thank you
buenos días|buenas tardes|buenas noches|buenas|hola = hello
cómo está|cómo estás|qué tal = how are you
quién es usted|es usted una persona|es usted un robot|con quién hablo = who are you
qué puede hacer|puede ayudarme|me puede ayudar|necesito ayuda = what can you do
sí|claro|claro que sí|por supuesto = yes
correcto|exacto|eso es|así es|es correcto = correct
de acuerdo|vale|hágalo|adelante|hágalo por favor = yes, please do
no = no
espere|pare = wait
un momento|un segundo|un minuto = one moment
me llamo|mi nombre es|mi nombre|a nombre de|al nombre de|el nombre es|le habla|habla = my name is
soy = i am
se trata de|acerca de|sobre|es por = about
aquí = here
nombre|apellido*|nombre y apellido* = name
quiere que|desea que = shall i
quiere|desea|le gustaría = would you like
le pase con|le pase|le ponga con = connect you to human
deje una nota = leave a note
número de pedido|número del pedido|número de orden|número de mi pedido = order number
número = number
estado del pedido = order status
dónde está|dónde están|dónde anda = where is
dónde = where
cuándo llega|cuándo llegará|cuándo llegan = when does arrive
cuándo = when
cuántos|cuántas|cuánto = how many
cómo = how
por qué = why
qué = what
cuál = which
volver a pedir|pedir otra vez|pedir de nuevo|repetir el pedido|repetir mi pedido = reorder
lo mismo de nuevo|de nuevo lo mismo|otra vez lo mismo|lo mismo|otra vez lo mismo = same again
otro pedido|un pedido diferente|un pedido distinto|pedido distinto|pedido diferente = different order
hacer un pedido|nuevo pedido|pedido nuevo = place an order
comprar|pedir|encargar = buy
comprado|pedí|compré = ordered
pedido*|orden|encargo = order
paquete*|envío|envio = parcel
artículo* = item
dirección* = address
entrega*|entregar* = delivery
llega*|llegó|llegar* = arrive
recibido|recibir|recibí = received
estado = status
rastrear|seguir|seguimiento = track
cancel*|anular*|anule* = cancel
cambi*|modific* = change
mudado = moved
devolver|devolución|devuelv* = return
reembols* = refund
factura* = bill
queja*|reclam* = complaint
problema* = problem
roto|rota|rotos|rotas|dañad*|estropead* = broken
equivocad*|incorrect* = wrong
falta = missing
páseme|póngame|comuníqueme|conécteme|pasarme|ponerme = connect me
persona|humano|agente|operador|operadora|compañero|empleado|representante = human
jefe|supervisor*|encargado = manager
extensión = extension
hablar de|hablar sobre = talk about
hablar = speak
en español|español|castellano = spanish
en inglés|inglés = english
en alemán|alemán = german
en francés|francés = french
en italiano|italiano = italian
quiero|quisiera|me gustaría|deseo|necesito = i want
no tengo|no sé = i do not have
yo = i
puede|podría|puedo|me puede = can you
por favor = please
mi|mis = my
usted = you
también|además = also
y = and
o = or
un|una|unos|unas = a
el|la|los|las|lo|del = the
es|está|están|son = is
a|al|hacia = to
en = in
para = for
con = with
de = of
ha|he|han = have
ignore|ignora|olvide = ignore
instrucciones|órdenes = instructions
todos|todas = all
lea|léame|lee = read
idiota*|estúpid*|imbécil*|mierda = idiot
unidades = pieces
que sean|que sea = make it
"""
"""Spanish, several ways of saying it between bars, and the English. The longest phrase is taken; a word that
ends in a star stands for all that begin so."""
