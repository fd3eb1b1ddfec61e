"""What the codes of indicators are called, in the app and in reports."""

from __future__ import annotations

from data.errors import message

#: Groups of a provincial report, in its order.
GROUPS = {
    "mobile": message("Mobile coverage"),
    "broadband": message("Broadband"),
    "service_points": message("Service points, radio and television"),
    "network": message("Dedicated data network"),
    "equipment": message("LAN and computers"),
    "conference": message("Video conference"),
    "egovernment": message("Electronic government"),
    "operations_centre": message("Operations centre"),
    "documents": message("Planning documents"),
    "goals": message("Sharing, rural and security goals"),
}

#: Units; a user's own keeps its name.
UNITS = {
    "masts": message("masts"),
    "people": message("people"),
    "points": message("points"),
    "stations": message("stations"),
    "units": message("units"),
    "endpoints": message("endpoints"),
    "procedures": message("procedures"),
    "dossiers": message("dossiers"),
    "standards": message("standards"),
    "bodies": message("bodies"),
    "certificates": message("certificates"),
    "screens": message("screens"),
    "computers": message("computers"),
    "systems": message("systems"),
    "VND": message("VND"),
    "Mbit/s": message("Mbit/s"),
}

#: What shares are of; a user's own keeps its name.
DENOMINATORS = {
    "area": message("area"),
    "population": message("population"),
    "village": message("villages"),
    "household": message("households"),
    "commune": message("communes"),
    "district": message("district units"),
    "department": message("departments"),
    "agency": message("agencies"),
    "connected_site": message("connected sites"),
    "official_upper": message("officials, district level and above"),
    "per_official_upper": message("officials, district level and above"),
    "per_official_commune": message("officials of communes"),
    "procedure": message("procedures"),
    "dossier": message("dossiers"),
    "mast": message("masts"),
}
