"""Words of the synthetic item texts: plain English, so that a pretrained encoder finds the topics too."""

from __future__ import annotations

_TOPIC_WORDS = {
    "space": "rocket planet orbit galaxy astronaut telescope comet lunar starship gravity nebula satellite",
    "cooking": "recipe kitchen chef oven spice flavour baking sauce roast dessert bread butter",
    "football": "goal striker league penalty referee stadium midfield coach trophy dribble kickoff defender",
    "music": "guitar melody concert orchestra rhythm singer album piano chorus drummer violin song",
    "crime": "detective murder suspect clue police robbery alibi witness killer evidence prison thief",
    "garden": "flower soil seed blossom greenhouse pruning rose hedge compost orchard lawn tulip",
    "finance": "market stock bond investor bank profit dividend inflation loan currency broker credit",
    "medicine": "doctor patient surgery vaccine hospital nurse diagnosis virus clinic therapy dose symptom",
    "ocean": "whale coral reef submarine tide shark sailor harbour wave island lighthouse anchor",
    "history": "empire king castle battle medieval knight dynasty ruins treaty conquest crown archive",
    "romance": "love wedding kiss heart bride passion letter darling jealousy affair embrace longing",
    "computing": "software algorithm processor network keyboard database compiler server memory code robot data",
}
TOPICS = {topic: words.split() for topic, words in _TOPIC_WORDS.items()}
_COMMON = "new day story world great night time last people little first year way house long good"
COMMON_WORDS = _COMMON.split()
