"""Small neutral lists of words for fake values. None comes from anybody's data."""


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split())


GIVEN_NAMES = _listed(
    "Ada Alba Alma Anouk Aria Arlo Aron Asa Basil Bela Bram Cato Cleo Cora Dara Dario Edda Elin Elio Emre Enzo Esra Fay Finn "
    "Gala Hanna Hugo Ida Ilan Ines Ira Iris Ivo Jana Jonas Juno Kai Kira Lara Lena Leo Lina Luca Maja Malik Mara Milo Mina "
    "Nael Nora Odin Olga Omar Pia Ravi Remy Rosa Sami Sela Tara Theo Uma Vera Yara"
)

FAMILY_NAMES = _listed(
    "Abel Acker Amsel Arden Ashby Bach Baker Barta Berg Birch Blume Brook Carver Clay Dale Dorn Ebner Falk Farrow Fell Field "
    "Fisher Forst Frost Garner Glen Grove Hale Hart Heath Hill Holm Horn Kern Kramer Lake Lang Linden Lorn Marsh Maurer Mead "
    "Miller Moor Nash Olm Park Pfeil Quist Reed Ridge Rivers Sand Shaw Stone Thorn Vale Vogel Wald Weaver Wells Winter Wood "
    "Zeller"
)

PLACES = _listed(
    "Alderford Ashmere Birkenau Blackwell Bramfeld Bridgeham Brookend Cedarholm Claywick Coldwater Dalebury Dornach Eastmoor "
    "Elmstadt Fairhaven Fernhill Fieldheim Foxgrove Frostdale Glenwick Goldbeck Greyholt Harrowby Hazelton Heathwick Hillmark "
    "Hollenau Ironbrook Kernstadt Kingsmead Lakeford Larchwood Lindenau Longmoor Maplewick Marshend Meadholm Millhaven Moorby "
    "Northbeck Oakridge Oldbridge Pinewick Ravenmoor Redfield Reedham Rivermark Rosenau Sandbeck Silverton Southmere Springau "
    "Steinbruck Stonewick Summerby Thornfeld Valeburg Waldheim Westmarch Whitholm Willowby Windmere Winterau Woodstead"
)
