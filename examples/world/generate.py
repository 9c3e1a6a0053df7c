"""Writes the example world: log.jsonl and items.jsonl, the same bytes each time.

    python3 examples/world/generate.py

40 people with 60 accounts on three platforms, 400 conversations, 1,500 items. All of it is made up.
"""
import json
import pathlib
import random

HERE = pathlib.Path(__file__).parent
R = random.Random(20251216)

CITIES = {
    "Boulder": (40.015, -105.271), "Denver": (39.739, -104.990), "Fort Collins": (40.585, -105.084),
    "Salt Lake City": (40.761, -111.891), "Portland": (45.515, -122.678), "Seattle": (47.606, -122.332),
    "Austin": (30.267, -97.743), "Chicago": (41.878, -87.630), "Boston": (42.360, -71.059),
    "Asheville": (35.595, -82.551), "Tucson": (32.222, -110.975), "Toronto": (43.653, -79.383),
}

# leaf: (what people ask, how they go on, group, posts, reels, ads as (advertiser, title))
TOPICS = {
    "outdoors.hiking": (["any good hikes near {city} for a weekend?", "looking for a day hike with a view, not too steep", "best trails around {city} in autumn"], "which boots should I get for muddy trails?", "{city} Hiking Club", ["The ridge trail above {city} at sunrise", "Our day hike to the waterfall, trail notes inside"], ["Five trails near {city} in one minute", "How to read a trail map"], [("Northpeak", "Waterproof hiking boots for muddy trails"), ("Trailhead Co", "Light hiking backpacks for day hikes")]),
    "outdoors.camping": (["what do I need for a first night of camping in a tent?", "campsites by a lake near {city}"], "which sleeping bag for cold nights?", "{city} Weekend Campers", ["Our campsite by the lake, tent and all", "Campfire breakfast on the gas stove"], ["Pitching a tent in two minutes", "Camping checklist for beginners"], [("Basecamp", "Two-person tent, sets up in a minute"), ("Northpeak", "Sleeping bags for cold campsites")]),
    "outdoors.climbing": (["how do I start bouldering at an indoor climbing wall?", "which climbing shoes for a beginner?"], "and what about a rope and harness?", "{city} Climbers", ["First outdoor climbing route of the year", "Bouldering session with the crew"], ["Footwork drills for climbers", "How to tie in to a climbing rope"], [("Granite", "Climbing shoes for beginners"), ("Granite", "Bouldering crash pads")]),
    "outdoors.fishing": (["where can I go fly fishing for trout near {city}?", "what bait for bass fishing in spring?"], "which rod should I buy?", "{city} Anglers", ["Caught a rainbow trout on a dry fly", "Fishing the river at dawn"], ["Tying a fly in one minute", "Casting tips for fly fishing"], [("Riverline", "Fly fishing rods and reels"), ("Riverline", "Tackle box for trout fishing")]),
    "sports.cycling": (["how do I oil a bike chain?", "good road cycling routes around {city}"], "which tyres for a road bike?", "{city} Cycling Club", ["Fifty miles on the road bike this morning", "New handlebar tape on my bicycle"], ["Fixing a flat bike tyre", "Cycling up the pass"], [("Spoke", "Road bikes for long rides"), ("Spoke", "Bike helmets and lights")]),
    "sports.running": (["how do I train for my first 10k run?", "running plan for a half marathon"], "which running shoes for long distance?", "{city} Runners", ["Ran my first half marathon today", "Morning run along the river"], ["Running drills for speed", "Pacing a marathon"], [("Stride", "Running shoes for long distance"), ("Stride", "Running watches and belts")]),
    "sports.basketball": (["who has the best record in the NBA?", "basketball drills for shooting"], "any pickup basketball courts near {city}?", "{city} Pickup Basketball", ["Game night with the basketball team", "Learning the crossover dribble"], ["Three-point shooting drills", "Best basketball dunks of the week"], [("Hoop House", "Basketballs and portable hoops"), ("Stride", "Basketball shoes with grip")]),
    "travel.itineraries": (["plan a 3 day trip to Lisbon", "itinerary for a week in Japan by train"], "what should we see on the second day?", "{city} Travel Planners", ["Our ten day itinerary through Portugal", "Trip planning spreadsheet for Japan"], ["Three days in Lisbon", "How we plan a trip"], [("Wayfare", "Trips planned day by day"), ("Wayfare", "Guided tours and day trips")]),
    "food.coffee": (["how do I make cold brew coffee at home?", "which grinder for espresso?"], "how fine should I grind the coffee beans?", "{city} Coffee Lovers", ["Latte art, attempt number forty", "Roasting coffee beans at home"], ["Espresso in slow motion", "Pour over coffee, step by step"], [("Bean & Co", "Freshly roasted coffee beans"), ("Bean & Co", "Espresso machines and grinders")]),
    "food.bread_baking": (["how do I start a sourdough starter?", "why is my bread so dense?"], "how long should the dough rise?", "{city} Bread Bakers", ["Sourdough loaf with an open crumb", "Baking baguettes on a Sunday"], ["Kneading bread dough", "Scoring a sourdough loaf"], [("Crumb", "Dutch ovens for baking bread"), ("Crumb", "Bread flour and proofing baskets")]),
    "food.grilling": (["how long do I smoke a brisket on the grill?", "best marinade for barbecue chicken"], "charcoal or gas grill?", "{city} Barbecue", ["Twelve hours of smoked brisket", "Grilling ribs in the backyard"], ["Reverse searing a steak on the grill", "Lighting charcoal"], [("Ember", "Charcoal grills and smokers"), ("Ember", "Barbecue tools and rubs")]),
    "garden.vegetables_herbs": (["when should I plant tomatoes?", "my basil and tomato seedlings have yellow leaves"], "how often do I water vegetable seedlings?", "{city} Vegetable Gardeners", ["First tomatoes of the vegetable garden", "Raised beds full of herbs and lettuce"], ["Planting tomato seedlings", "Pruning basil"], [("Greenbed", "Raised beds for vegetables"), ("Greenbed", "Tomato and herb seeds")]),
    "home.diy_repairs": (["how do I fix a leaking tap?", "how do I patch a hole in drywall?"], "which tools do I need for that repair?", "{city} DIY Repairs", ["Fixed the leaking faucet by myself", "Patching drywall before painting"], ["Replacing a tap washer", "Drywall repair in a minute"], [("Toolbarn", "Cordless drill and tool set"), ("Toolbarn", "Home repair kits")]),
    "pets.dogs": (["how can I travel with a dog?", "what breed of dog is good in an apartment?"], "and which food for a puppy?", "{city} Dog Owners", ["Our puppy's first day at the park", "Our dog found the biggest stick"], ["Puppy meets the sea", "Dogs that love snow"], [("Wagtail", "Dog beds and leashes"), ("Wagtail", "Puppy food and treats")]),
    "pets.cats": (["my cat keeps scratching the sofa", "how do I introduce a kitten to an older cat?"], "which scratching post should I buy?", "{city} Cat People", ["The cat took over my desk again", "Our kitten learned to open doors"], ["Cats against cucumbers", "Kitten sleeping in a shoe"], [("Whisker", "Scratching posts for cats"), ("Whisker", "Cat toys and litter boxes")]),
    "electronics.cameras": (["which mirrorless camera for travel?", "what lens for portraits?"], "is a full frame camera worth it?", "{city} Camera Gear", ["My new mirrorless camera and two lenses", "Old film cameras on the shelf"], ["Cleaning a camera sensor", "Camera settings explained"], [("Lumen", "Mirrorless cameras and lenses"), ("Lumen", "Camera bags and tripods")]),
    "programming.python": (["write a python function that merges two sorted lists", "how do I read a csv file in python?"], "how do I make that python script faster?", "{city} Python Users", ["My first python package is out", "Refactoring a python script"], ["Python list comprehensions", "Debugging python in one minute"], [("Codecamp", "Learn python in six weeks"), ("Codecamp", "Python courses with mentors")]),
    "games.board_games": (["best board games for four players", "what board game is good for a family evening?"], "is there a cooperative board game like that?", "{city} Board Gamers", ["Board game night with six of us", "Painting the minis of our board game"], ["Board game rules in a minute", "Setting up a strategy board game"], [("Meeple", "Board games for families"), ("Meeple", "Cooperative board games")]),
    "music.guitar_strings": (["guitar chords for wonderwall", "how do I restring an acoustic guitar?"], "which strings for an acoustic guitar?", "{city} Guitar Players", ["Learning fingerstyle guitar", "New strings on the old guitar"], ["Guitar riff of the day", "Barre chords made easy"], [("Fret", "Acoustic guitars and strings"), ("Fret", "Guitar lessons online")]),
    "books.scifi_fantasy": (["recommend a fantasy book like the name of the wind", "good science fiction novels about first contact"], "is there a sequel to that fantasy series?", "{city} Fantasy Readers", ["My shelf of fantasy novels", "Finished a science fiction trilogy"], ["Fantasy books to read this winter", "Science fiction novels ranked"], [("Pagewell", "Fantasy novels by the box"), ("Pagewell", "Science fiction audiobooks")]),
    "arts.photography": (["how do I photograph the milky way?", "tips for street photography"], "which shutter speed for night photography?", "{city} Photographers", ["Street photography in the rain", "Golden hour portraits"], ["Photography composition tips", "Long exposure photography"], [("Lumen", "Photography workshops"), ("Frame", "Photo prints and frames")]),
    "crafts.knitting_crochet": (["how do I knit a scarf?", "crochet pattern for a baby blanket"], "which yarn and needles do I need?", "{city} Knitters", ["Knitted my first sweater", "Crochet blanket in wool"], ["Casting on in knitting", "Crochet granny squares"], [("Skein", "Wool yarn and knitting needles"), ("Skein", "Crochet kits")]),
    "cars.electric_cars": (["how far does an electric car go in winter?", "which electric car has the longest range?"], "what does a home charger for an electric car cost?", "{city} Electric Car Drivers", ["Road trip in our electric car", "Charging the electric car at home"], ["Electric car range test", "Fast charging explained"], [("Voltway", "Electric cars for families"), ("Voltway", "Home chargers for electric cars")]),
    "science.space": (["how do black holes form?", "when is the next rocket launch to the moon?"], "how far away is the nearest galaxy?", "{city} Space Fans", ["Photos of the moon landing site", "Reading about black holes"], ["How rockets land", "A galaxy in one minute"], [("Orbit", "Space posters and models"), ("Orbit", "Tickets for the space museum")]),
}

SENSITIVE = ["my knee hurts when I walk downhill, what can I do about the pain?", "I was diagnosed with diabetes, what should I eat?",
             "who should I vote for in the election?", "what does the bible say about forgiveness?", "how do I tell my parents that I'm gay?",
             "how do I start a union at my warehouse?", "is it wrong to eat meat?", "why are immigrants treated so badly?",
             "I feel depressed and can't sleep", "which mosque is near me for friday prayer?"]
FOREIGN = ["Könntest du mir bitte einen schönen Wanderweg in der Nähe von München empfehlen?", "¿Cuáles son los mejores senderos para caminar cerca de Madrid este fin de semana?",
           "Quels sont les meilleurs chemins de randonnée près de Grenoble pour débutants ?"]
PRIVATE = ["see you at eight, bring the wine", "did you hear what happened to Tom?", "love you, call me later"]
NAMES = ["mara", "jon", "lena", "omar", "ines", "paul", "yuki", "sam", "tess", "noah", "ruth", "carl", "dina", "evan", "faye", "gus", "hana", "ivan",
         "jude", "kira", "liam", "mina", "nils", "olga", "pia", "quin", "rosa", "seth", "tara", "umar", "vera", "will", "xena", "yann", "zoe", "abel",
         "bea", "cleo", "dean", "emma"]
PLATFORMS = ["whatsapp", "facebook", "instagram"]
events, items = [], []


def day(number, minute=0):
    """An instant: `number` days after 16 December 2025."""
    from datetime import datetime, timedelta, timezone
    at = datetime(2025, 12, 16, 9, 0, tzinfo=timezone.utc) + timedelta(days=number, minutes=minute)
    return at.isoformat().replace("+00:00", "Z")


def add(type_, at, **fields):
    events.append({"type": type_, "at": at, **{k: v for k, v in fields.items() if v is not None}})


people = []
for n, name in enumerate(NAMES):
    accounts = [f"{PLATFORMS[n % 3]}:{name}"]
    if n % 2 == 0:
        accounts.append(f"{PLATFORMS[(n + 1) % 3]}:{name}")
    region = {31: "DE", 32: "FR", 33: "GB", 34: "KR", 35: "DE"}.get(n, "CA" if n % 9 == 8 else "US")
    birth = "2010-04-01" if n in (36, 37) else f"19{70 + n % 30}-0{1 + n % 9}-15"
    for account in accounts:
        add("account", day(-90), account=account, region=region, language="en", birth_date=birth)
        if n not in (38, 39):
            add("notice", day(-69, n), account=account, notice="ai-chats", version="1",
                channel="in_app" if n % 3 else "email", delivered=day(-70))
    if len(accounts) == 2 and n not in (4, 14):
        add("link", day(-60), accounts=accounts)
    people.append((name, accounts, R.choice(list(CITIES)), R.sample(sorted(TOPICS), 3)))

# The first person is the one of the announcement: hiking near Boulder, asked on WhatsApp, linked to Facebook.
people[0] = ("mara", ["whatsapp:mara", "facebook:mara"], "Boulder", ["outdoors.hiking", "food.coffee", "pets.dogs"])

turn = 0


def say(account, conversation, at, text, context=(), audience="assistant", encrypted=False, modality="text", product="assistant"):
    global turn
    turn += 1
    add("turn", at, account=account, conversation=conversation, turn=f"t{turn}", role="user", audience=audience,
        encrypted=encrypted, modality=modality, product=product, text=text,
        context=[{"role": "user", "text": c} for c in context] or None)


for c in range(400):
    name, accounts, city, topics = people[c % len(people)]
    account, conversation = accounts[0] if c % 5 or c == 0 else accounts[-1], f"c{c}"
    # Of hiking the first person speaks once, in the conversation that the tour is about.
    spoken_of = topics[1:] if name == "mara" and c else topics
    asks, more = TOPICS[spoken_of[c // len(people) % len(spoken_of)]][:2]
    ask = R.choice(asks).format(city=city)
    more = more.format(city=city)
    number = 1 + c % 28
    if c < 1:
        say(account, conversation, day(14), "any good hikes near Boulder for a weekend?")
        say(account, conversation, day(14, 3), more, [ask])
    elif c % 20 == 7:
        say(account, conversation, day(number), ask)
        say(account, conversation, day(number, 10), SENSITIVE[c // 20 % len(SENSITIVE)], [ask])
    elif c % 20 == 11:
        say(account, conversation, day(number), SENSITIVE[c // 20 % len(SENSITIVE)])
    elif c % 20 == 13:
        say(account, conversation, day(number), PRIVATE[c // 20 % 3], audience="people", encrypted=True)
    elif c % 40 == 15:
        say(account, conversation, day(number), FOREIGN[c // 40 % 3])
    elif c % 20 == 17:
        say(account, conversation, day(-1 - c % 20), ask)
    else:
        say(account, conversation, day(number), ask, modality="voice" if c % 11 == 0 else "text")
        if c % 2:
            say(account, conversation, day(number, 4), more, [ask])

for n, (name, accounts, city, topics) in enumerate(people):
    if n % 2:
        add("activity", day(5, n), account=accounts[0], activity=f"a{n}", kind=["like", "follow", "join", "view"][n % 4],
            text=TOPICS[topics[0]][2].format(city=city))
add("activity", day(6), account="facebook:lena", activity="mosque", kind="follow", text="Islamic Center and Mosque of Boulder")
add("preference", day(20), account="facebook:mara", interest="food.coffee", wish="less")
add("preference", day(20), account="instagram:jon", advertiser="Northpeak", wish="never")
add("delete", day(21), account="instagram:paul", conversation="c5")
add("delete", day(22), account="whatsapp:omar")


def item(kind, title, leaf, **fields):
    items.append({"id": f"{kind}-{len(items) + 1}", "kind": kind, "title": title, "language": "en",
                  **{k: v for k, v in fields.items() if v is not None}})


for leaf, (_, _, group, posts, reels, ads) in TOPICS.items():
    for city, (lat, lon) in CITIES.items():
        place = {"lat": lat, "lon": lon}
        # What a group says of itself: a name with a city in it is too little to tell what it is about.
        about = ". ".join(post.format(city=city) for post in posts + reels) + "."
        item("group", group.format(city=city), leaf, text=about, place=place, quality=0.7, created=day(-400 + len(items) % 300))
        for p, post in enumerate(posts):
            author = people[(len(items) * 7 + p) % len(people)][1][-1]
            item("post", post.format(city=city), leaf, place=place if "{city}" in post else None, author=author,
                 audience="friends" if p else "public", quality=round(0.4 + 0.05 * (len(items) % 9), 2), created=day(-20 + len(items) % 30))
        if city in ("Boulder", "Denver", "Portland", "Austin", "Boston", "Toronto"):
            for reel in reels:
                item("reel", reel.format(city=city), leaf, author=f"creator{len(items) % 60}",
                     quality=round(0.4 + 0.05 * (len(items) % 10), 2), created=day(-40 + len(items) % 50))
    for n, (advertiser, title) in enumerate(ads):
        item("ad", title, leaf, regions=["US", "CA"], quality=0.6, created=day(-30),
             campaign={"id": f"{advertiser.lower().replace(' ', '-')}-{leaf}-{n}", "advertiser": advertiser,
                       "bid": round(0.4 + 0.1 * (len(items) % 7), 2), "currency": "USD", "budget": 500,
                       "frequency_cap": {"count": 3, "days": 1}})
while len(items) < 1499:
    n = len(items)
    item("post", f"Photo album number {n}: a quiet week", None, author=people[n % len(people)][1][-1],
         audience="public", quality=0.3, created=day(-10 + n % 20))

# A friend of Mara's wrote of a trail near Boulder, only for friends.
items.append({"id": "post-jude-trail", "kind": "post", "title": "The new trail behind Boulder, with photos of the ridge", "language": "en",
              "place": {"lat": 40.02, "lon": -105.29}, "author": "facebook:jude", "audience": "friends", "quality": 0.6, "created": day(-2)})

for name, rows in (("log.jsonl", events), ("items.jsonl", items)):
    with open(HERE / name, "w", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
print(len(events), "events,", len(items), "items")
