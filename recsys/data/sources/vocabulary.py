"""Words of the synthetic item texts: plain English, so that a pretrained encoder finds the topics too."""

from __future__ import annotations

TOPICS: dict[str, list[str]] = {
    "space": "rocket planet orbit galaxy astronaut telescope comet lunar starship gravity nebula satellite".split(),
    "cooking": "recipe kitchen chef oven spice flavour baking sauce roast dessert bread butter".split(),
    "football": "goal striker league penalty referee stadium midfield coach trophy dribble kickoff defender".split(),
    "music": "guitar melody concert orchestra rhythm singer album piano chorus drummer violin song".split(),
    "crime": "detective murder suspect clue police robbery alibi witness killer evidence prison thief".split(),
    "garden": "flower soil seed blossom greenhouse pruning rose hedge compost orchard lawn tulip".split(),
    "finance": "market stock bond investor bank profit dividend inflation loan currency broker credit".split(),
    "medicine": "doctor patient surgery vaccine hospital nurse diagnosis virus clinic therapy dose symptom".split(),
    "ocean": "whale coral reef submarine tide shark sailor harbour wave island lighthouse anchor".split(),
    "history": "empire king castle battle medieval knight dynasty ruins treaty conquest crown archive".split(),
    "romance": "love wedding kiss heart bride passion letter darling jealousy affair embrace longing".split(),
    "computing": "software algorithm processor network keyboard database compiler server memory code robot data".split(),
}
COMMON_WORDS = "new day story world great night time last people little first year way house long good".split()
