"""What the questions are made of."""

from __future__ import annotations


def listed(text: str) -> list[str]:
    return text.split(",")


CITIES = """
Kyoto Japan Asia | Mumbai India Asia | Shanghai China Asia | Busan South_Korea Asia | Karachi Pakistan Asia
Izmir Turkey Asia | Haifa Israel Asia | Chiang_Mai Thailand Asia | Da_Nang Vietnam Asia | Cebu Philippines Asia
Barcelona Spain Europe | Hamburg Germany Europe | Milan Italy Europe | Krakow Poland Europe | Porto Portugal Europe
Lyon France Europe | Bergen Norway Europe | Gothenburg Sweden Europe | Antwerp Belgium Europe | Graz Austria Europe
Zurich Switzerland Europe | Rotterdam Netherlands Europe | Cork Ireland Europe | Brno Czech_Republic Europe
Split Croatia Europe | Thessaloniki Greece Europe | Tampere Finland Europe | Aarhus Denmark Europe
Casablanca Morocco Africa | Lagos Nigeria Africa | Mombasa Kenya Africa | Alexandria Egypt Africa
Durban South_Africa Africa | Kumasi Ghana Africa | Oran Algeria Africa | Sfax Tunisia Africa
Toronto Canada North_America | Guadalajara Mexico North_America | Chicago United_States North_America
Vancouver Canada North_America | Houston United_States North_America | Cancun Mexico North_America
Medellin Colombia South_America | Cordoba Argentina South_America | Valparaiso Chile South_America
Guayaquil Ecuador South_America | Recife Brazil South_America | Arequipa Peru South_America
Perth Australia Oceania | Auckland New_Zealand Oceania | Brisbane Australia Oceania | Dunedin New_Zealand Oceania
"""

THINGS = listed("blender,backpack,tent,keyboard,umbrella,bicycle lock,raincoat,coffee grinder,desk lamp,radio")
GOOD = [
    "does exactly what I hoped for",
    "has not let me down once",
    "was worth every cent",
    "made my mornings easier",
    "still looks new after a year",
    "beats the one I had before",
]
BAD = [
    "stopped working within a week",
    "is going straight back to the shop",
    "smells of burnt plastic",
    "was a waste of money",
    "fell apart in my hands",
    "leaks whenever I use it",
]
PLAIN = [
    "arrived on Tuesday",
    "comes in two colours",
    "weighs about a kilo",
    "is made of steel",
    "was delivered in a brown box",
    "has a cable of one metre",
]

SENTENCES = """
English: The train leaves at noon. | We forgot the keys again. | My sister paints old boats.
English: It rained all week. | Nobody answered the phone. | She bought two loaves.
French: Le marché ferme à midi. | Nous avons perdu la clé. | Il pleut depuis hier.
French: Ma tante habite au bord de la mer. | Tu as oublié ton manteau. | Le chat dort sur la table.
German: Der Zug kommt zu spät. | Wir haben kein Brot mehr. | Mein Bruder wohnt in der Stadt.
German: Es schneit seit gestern. | Niemand hat angerufen. | Die Kinder spielen im Garten.
Spanish: El perro duerme en la cocina. | Mañana vamos a la playa. | No encuentro mis gafas.
Spanish: Mi abuela hace sopa. | Hace mucho calor hoy. | Ellos viven cerca del río.
Italian: Il gatto dorme sul divano. | Domani andiamo al mare. | Non trovo le chiavi.
Italian: Mia nonna fa la pasta. | Fa molto freddo oggi. | Abitiamo vicino alla stazione.
Portuguese: O cachorro dorme na cozinha. | Amanhã vamos à praia. | Não encontro os meus óculos.
Portuguese: A minha avó faz bolo. | Hoje está muito frio. | Eles moram perto do rio.
Dutch: De hond slaapt in de keuken. | Morgen gaan we naar zee. | Ik kan mijn bril niet vinden.
Dutch: Het regent al de hele dag. | Niemand nam de telefoon op. | Wij wonen naast het station.
Korean: 기차가 늦게 왔어요. | 내일 바다에 갑시다. | 안경을 못 찾겠어요.
Korean: 할머니가 국을 끓이세요. | 오늘은 아주 추워요. | 우리는 역 옆에 살아요.
Polish: Pies śpi w kuchni. | Jutro jedziemy nad morze. | Nie mogę znaleźć kluczy.
Polish: Babcia gotuje zupę. | Dzisiaj jest bardzo zimno.
"""

FIRST = listed("Nora,Felix,Jin,Amara,Pavel,Lucia,Omar,Greta,Tomas,Yuki,Selma,Hugo")
LAST = listed("Berg,Castillo,Okafor,Lindqvist,Novak,Tanaka,Moreau,Haddad,Fischer,Walsh")
HOSTS = listed("example.org,mailbox.example,post.example,firm.example")

WORDS = listed("two,three,four,five,six,seven,eight,nine,ten,eleven,twelve,fifteen,twenty,thirty,forty")
VALUES = (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 20, 30, 40)
GOODS = [
    ("flour", "kg"),
    ("sand", "kg"),
    ("rice", "kg"),
    ("milk", "litres"),
    ("paint", "litres"),
    ("olive oil", "litres"),
    ("chairs", "pieces"),
    ("bottles", "pieces"),
    ("bricks", "pieces"),
]

KINDS = {
    "an animal": listed("otter,sparrow,beetle,salmon,goat"),
    "a vegetable": listed("carrot,leek,spinach,turnip"),
    "a tool": listed("hammer,chisel,spanner,saw"),
    "a piece of clothing": listed("scarf,jacket,sock,skirt"),
    "a vehicle": listed("lorry,ferry,tram,glider"),
    "an instrument that makes music": listed("cello,trumpet,harp,oboe"),
}

DAYS = listed("Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday")

REQUESTS = {
    "billing": [
        "My invoice of {day} shows the wrong sum.",
        "You charged me twice on {day}.",
        "Please send the receipt of {day} again.",
        "I was billed for a {thing} that I never bought.",
        "When do I get my money back for the {thing}?",
    ],
    "delivery": [
        "The {thing} should have come on {day} and has not arrived.",
        "The courier left my {thing} at the wrong house.",
        "Can you deliver the {thing} on {day} instead?",
        "The tracking number for my {thing} does not work.",
        "My parcel is still on its way since {day}.",
    ],
    "repair": [
        "The {thing} broke on {day}.",
        "My {thing} makes a strange noise.",
        "The handle of the {thing} came off.",
        "Since {day} the {thing} does not switch on.",
        "How can I fix the {thing}?",
    ],
}

PAYMENTS = [
    ("{who} paid the bill on {day}.", True),
    ("{who} sent the whole sum on {day}.", True),
    ("The money from {who} came on {day}.", True),
    ("{who} settled the account last {day}.", True),
    ("{who} has not paid since {day}.", False),
    ("We still wait for the money that {who} owes since {day}.", False),
    ("{who} refused to pay on {day}.", False),
    ("Nothing came from {who} by {day}.", False),
]

MONTHS = listed("January,February,March,April,May,June,July,August,September,October,November,December")

STREETS = listed("Mill Lane,Harbour Street,Old Church Road,Garden Row,Station Square,Quarry Hill")
TOWNS = listed("Aldbrook,Fernleigh,Westmere,Coldwell,Brantham")
ASKS = [
    "leave it with the neighbour on the second floor",
    "ring twice and wait at the side door",
    "do not put it under the window because of the dog",
    "the gate code is {number} and the bell is broken",
    "call the caretaker in building {number} before nine",
    "place the box behind the blue bins next to the shed",
]
