"""The words that are understood, and what each of them means."""

from __future__ import annotations

PLACES: dict[str, str] = {
    "mountains": "mountain, mountains, peak, peaks, alps, alpine, mountain range, "
    "mountain landscape, summit, himalaya, himalayas, rockies, cliffs, volcano, canyon, range",
    "hills": "hill, hills, rolling hills, countryside, valley, green valley, landscape, farmland, "
    "highlands, scenery, grassland, pasture, farm",
    "sea": "sea, ocean, seascape, coast, bay, waves, shore, seaside, harbour, harbor, water",
    "beach": "beach, beaches, sand beach, sandy beach, seashore",
    "island": "island, islands, tropical island",
    "desert": "desert, dune, dunes, sand dunes, sahara, sand, egypt",
    "forest": "forest, forests, woods, woodland, pine forest, jungle, taiga, grove, wood",
    "city": "city, cities, skyline, city skyline, skyscraper, skyscrapers, cityscape, metropolis, "
    "downtown, buildings, street, new york, manhattan, tokyo, cyberpunk city, towers",
    "lake": "lake, lakes, pond, calm lake, river, lagoon, fjord, reservoir",
    "space": "space, outer space, universe, cosmos, nebula, solar system, deep space",
    "meadow": "meadow, meadows, field, fields, garden, flower field, field of flowers, park, lawn, "
    "prairie",
}
THINGS: dict[str, str] = {
    "house": "house, cottage, cabin, hut, home, barn, villa, farmhouse, lodge, building, chalet, "
    "shed",
    "village": "village, town, hamlet, houses, cottages",
    "castle": "castle, fortress, palace, citadel, chateau",
    "lighthouse": "lighthouse, beacon",
    "church": "church, chapel, cathedral",
    "windmill": "windmill, mill",
    "pyramid": "pyramid",
    "tent": "tent, campsite",
    "snowman": "snowman",
    "bridge": "bridge",
    "boat": "boat, sailboat, sailing boat, yacht, sailing ship, canoe",
    "ship": "ship, steamer, steamship, ferry, cruise ship",
    "balloon": "balloon, hot air balloon, hot-air balloon, airship",
    "kite": "kite",
    "airplane": "airplane, aeroplane, plane, aircraft, jet",
    "rocket": "rocket, spaceship, space ship, spacecraft, space shuttle, starship",
    "ufo": "ufo, flying saucer, alien ship",
    "car": "car, automobile, taxi, van, vehicle",
    "train": "train, locomotive, steam train",
    "cat": "cat, kitten, kitty, feline",
    "dog": "dog, puppy, corgi, hound, labrador, pup, wolf, fox",
    "rabbit": "rabbit, bunny, hare",
    "sheep": "sheep, lamb",
    "cow": "cow, bull, cattle",
    "horse": "horse, pony, stallion, unicorn, deer",
    "bird": "robin, sparrow, parrot, chick, chicken, owl",
    "fish": "fish, goldfish, shark",
    "duck": "duck, swan, goose, duckling",
    "butterfly": "butterfly",
    "person": "person, man, woman, boy, girl, human, people, child, wanderer, hiker, farmer",
    "astronaut": "astronaut, cosmonaut, spaceman",
    "rider": "astronaut riding a horse, astronaut riding horse, astronaut on a horse, astronaut "
    "rides a horse",
    "pine": "pine, pine tree, fir, fir tree, conifer, christmas tree, spruce",
    "tree": "tree, oak, maple, apple tree, birch, bonsai, cherry tree",
    "palm": "palm, palm tree, coconut tree",
    "cactus": "cactus, cacti, saguaro",
    "planet": "planet, saturn, jupiter, mars, earth, globe",
}
SHAPES: dict[str, str] = {
    "circle": "circle, disc, disk, dot, ball, sphere",
    "square": "square, box, cube",
    "triangle": "triangle",
    "star": "star",
    "heart": "heart",
    "rectangle": "rectangle",
    "diamond": "diamond, rhombus",
    "pentagon": "pentagon",
    "hexagon": "hexagon",
    "oval": "oval, ellipse",
    "crescent": "crescent, crescent moon",
    "cross": "cross, plus",
    "arrow": "arrow",
    "ring": "ring, donut, doughnut, hoop",
}
SIGHTS: dict[str, str] = {
    "sun": "sun, sunlight, sunshine",
    "moon": "moon, full moon, moonlight, moonlit",
    "stars": "stars, starry, starry sky, starlight, constellation, starry night",
    "clouds": "cloud, clouds, cloudy",
    "rainbow": "rainbow, rainbows",
    "lightning": "lightning, thunder, lightning bolt",
    "birds": "birds, bird, seagull, seagulls, flock, flying birds, eagle, gulls, gull",
    "rain": "rain, raining, rainy, drizzle, shower",
    "snowfall": "snowing, snowfall, snowflakes, blizzard, snowstorm",
    "aurora": "aurora, northern lights, aurora borealis, polar lights",
    "galaxy": "galaxy, galaxies, milky way, spiral galaxy",
    "flowers": "flower, flowers, tulip, tulips, blossoms, blossom, poppies, poppy, roses, rose, "
    "daisies, daisy, sunflower, sunflowers, lavender, wildflowers",
    "trees": "trees",
    "path": "path, road, trail, lane, way",
    "sky": "sky, skies, heaven",
    "snow": "snow, snowy, winter, wintry, snow covered, snow-covered, ice, icy, frozen, frosty, "
    "arctic, christmas",
    "snowcaps": "snowcapped, snow capped, snow-capped",
    "autumn": "autumn, fall, autumnal, autumn leaves, october",
}
TIMES: dict[str, str] = {
    "day": "day, daytime, daylight, sunny, noon, midday, morning, bright day, blue sky, summer, "
    "spring, afternoon, clear sky, sunny day",
    "sunset": "sunset, sunrise, dusk, dawn, evening, golden hour, twilight, sundown, sunsets",
    "night": "night, midnight, nighttime, at night, dark night, nocturnal, nights, night sky, "
    "moonlit night, starry night",
    "storm": "storm, stormy, thunderstorm, tempest, dark clouds, gloomy, stormy sky, rainstorm, "
    "overcast",
}
STYLES: dict[str, str] = {
    "vivid": "vivid, vivid colors, vivid colours, vibrant, colorful, colourful, saturated, "
    "pop art, bright colors",
    "pastel": "pastel, pastel colors, soft colors, watercolor, watercolour, pale",
    "monochrome": "monochrome, black and white, black-and-white, grayscale, greyscale, noir, "
    "pencil, charcoal",
    "fantasy": "fantasy, magical, magic, dreamy, surreal, fairytale, fairy tale, enchanted, "
    "mystical, vaporwave, synthwave, cyberpunk, alien, dream",
    "foggy": "foggy, mist, misty, fog, haze, hazy",
    "sepia": "sepia, vintage, old photograph, retro, antique",
}
COLOURS: dict[str, str] = {
    "red": "red, crimson, scarlet, ruby, maroon",
    "orange": "orange, amber, tangerine, ginger",
    "yellow": "yellow, lemon",
    "green": "green, emerald, lime, olive, jade",
    "blue": "blue, navy, azure, sapphire, indigo, cobalt",
    "purple": "purple, violet, lilac, magenta, mauve",
    "pink": "pink, rosy, salmon, fuchsia, coral",
    "white": "white, ivory, cream",
    "black": "black, ebony",
    "gray": "gray, grey, silver",
    "brown": "brown, tan, chocolate, beige, wooden",
    "cyan": "cyan, turquoise, teal, aqua",
    "gold": "gold, golden",
}
GROUPS: dict[str, str] = {
    "animal": "cat, dog, rabbit, sheep, cow, horse, bird, fish, duck, butterfly, birds",
    "pet": "cat, dog, rabbit",
    "plant": "trees, cactus, flowers",
    "vegetation": "trees, cactus, flowers",
    "foliage": "trees",
    "bush": "trees",
    "architecture": "house, castle, lighthouse, church, windmill, pyramid, city",
    "house": "house, village",
    "cottage": "house, village",
    "building": "house, castle, lighthouse, church, windmill, pyramid, city",
    "vehicle": "car, train, boat, ship, airplane, rocket, balloon",
    "water": "sea, lake, beach, island",
    "dark": "night, storm",
    "darkness": "night, storm",
    "weather": "storm, rain, snowfall, lightning, foggy, clouds",
    "bad weather": "storm, rain, snowfall, lightning, foggy",
}
"""Words that only a negative prompt understands, or in a wider sense there."""
INCLUDED: dict[str, str] = {
    "person": "astronaut, rider",
    "astronaut": "rider",
    "horse": "rider",
    "tree": "trees",
    "pine": "trees",
    "trees": "tree, pine, palm, forest",
    "snow": "snowcaps, snowfall",
    "clouds": "storm",
    "bird": "birds",
    "birds": "bird",
    "sea": "beach, island",
    "star": "stars",
    "stars": "star",
    "mountains": "snowcaps",
}
"""What else must not be there when something must not: its parts, kinds and homes."""
COUNTS: dict[str, int] = {
    "a": 1, "an": 1, "one": 1, "single": 1, "two": 2, "pair": 2, "couple": 2, "three": 3, "few": 3,
    "some": 3, "four": 4, "several": 4, "five": 5, "six": 6, "many": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "twelve": 12, "dozen": 12,
}  # fmt: skip
SIZES: dict[str, float] = {
    "tiny": 0.45, "miniature": 0.45, "small": 0.65, "little": 0.65, "big": 1.4, "large": 1.4,
    "tall": 1.3, "great": 1.4, "huge": 1.8, "massive": 1.8, "giant": 1.9, "enormous": 1.9,
    "gigantic": 1.9,
}  # fmt: skip
SIDES = {
    "left": "left",
    "right": "right",
    "middle": "middle",
    "center": "middle",
    "centre": "middle",
}
GROUNDS = frozenset({"background", "backdrop", "wall", "canvas", "paper"})
SUPPORTS = frozenset({"on", "over", "against", "upon", "onto"})
PREPOSITIONS = SUPPORTS | {
    "in", "at", "under", "beneath", "above", "with", "near", "by", "beside", "behind", "before",
    "of", "to", "from", "through",
}  # fmt: skip
IRREGULAR = {
    "leaves": "leaf", "people": "person", "men": "man", "women": "woman", "children": "child",
    "snowmen": "snowman", "geese": "goose", "wolves": "wolf", "cacti": "cactus",
    "sheep": "sheep", "fish": "fish",
}  # fmt: skip


def lexicon() -> dict[tuple[str, ...], list[tuple[str, str]]]:
    """Give, for each phrase (its words), what it means: pairs of a kind of meaning and a name."""
    meanings: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    tables = (
        ("place", PLACES), ("thing", THINGS), ("shape", SHAPES), ("sight", SIGHTS),
        ("time", TIMES), ("style", STYLES), ("colour", COLOURS),
    )  # fmt: skip
    for kind, table in tables:
        for name, phrases in table.items():
            for phrase in phrases.split(", "):
                words = tuple(phrase.replace("-", " ").split())
                meanings.setdefault(words, []).append((kind, name))
    return meanings
