"""Parts of the body that a source may be set to, and which pictures can be of a side of it.

The words are Body Part Examined's, the codes SNOMED CT's (PS3.16 annex L, CID 4).
"""

from typing import NamedTuple

from gateway.model import Equipment, MediaKind


class Region(NamedTuple):
    """A code of SNOMED CT, and its meaning."""

    code: str
    meaning: str


ENTIRE_BODY = Region("38266002", "Entire body")
_SINGLE = {
    "ABDOMEN": Region("818981001", "Abdomen"),
    "BLADDER": Region("89837001", "Bladder"),
    "CERVIX": Region("71252005", "Cervix"),
    "CHEST": Region("816094009", "Chest"),
    "COLON": Region("71854001", "Colon"),
    "DUODENUM": Region("38848004", "Duodenum"),
    "ESOPHAGUS": Region("32849002", "Esophagus"),
    "GALLBLADDER": Region("28231008", "Gallbladder"),
    "HEAD": Region("69536005", "Head"),
    "HEART": Region("80891009", "Heart"),
    "ILEUM": Region("34516001", "Ileum"),
    "JEJUNUM": Region("21306003", "Jejunum"),
    "LARYNX": Region("4596009", "Larynx"),
    "LIVER": Region("10200004", "Liver"),
    "MOUTH": Region("123851003", "Mouth"),
    "NECK": Region("45048000", "Neck"),
    "NOSE": Region("45206002", "Nose"),
    "PANCREAS": Region("15776009", "Pancreas"),
    "PELVIS": Region("816092008", "Pelvis"),
    "PHARYNX": Region("54066008", "Pharynx"),
    "PROSTATE": Region("41216001", "Prostate"),
    "RECTUM": Region("34402009", "Rectum"),
    "SPLEEN": Region("78961009", "Spleen"),
    "STOMACH": Region("69695003", "Stomach"),
    "THYROID": Region("69748006", "Thyroid"),
    "TRACHEA": Region("44567001", "Trachea"),
    "URETHRA": Region("13648007", "Urethra"),
    "UTERUS": Region("35039007", "Uterus"),
    "VAGINA": Region("76784001", "Vagina"),
}
_PAIRED = {
    "ANKLE": Region("70258002", "Ankle joint"),
    "AXILLA": Region("91470000", "Axilla"),
    "BREAST": Region("76752008", "Breast"),
    "CLAVICLE": Region("51299004", "Clavicle"),
    "EAR": Region("117590005", "Ear"),
    "ELBOW": Region("16953009", "Elbow joint"),
    "EYE": Region("81745001", "Eye"),
    "FEMUR": Region("71341001", "Femur"),
    "FOOT": Region("56459004", "Foot"),
    "FOREARM": Region("14975008", "Forearm"),
    "HAND": Region("85562004", "Hand"),
    "HIP": Region("29836001", "Hip"),
    "HUMERUS": Region("85050009", "Humerus"),
    "KIDNEY": Region("64033007", "Kidney"),
    "KNEE": Region("72696002", "Knee"),
    "OVARY": Region("15497006", "Ovary"),
    "SCAPULA": Region("79601000", "Scapula"),
    "SHOULDER": Region("16982005", "Shoulder"),
    "TESTIS": Region("40689003", "Testis"),
    "THIGH": Region("68367000", "Thigh"),
    "WRIST": Region("74670003", "Wrist joint"),
}
BODY_PARTS = dict(sorted({**_SINGLE, **_PAIRED}.items()))
_VISIBLE_LIGHT = frozenset({"endoscopic", "photographic"})


def is_paired(body_part: str) -> bool:
    """Say whether this part of the body is one of a pair: a picture of it without its side is not complete."""
    return body_part in _PAIRED


def takes_side(equipment: Equipment, kind: MediaKind) -> bool:
    """Say whether a picture of this device can be of a side: of one of a pair, or of what nobody named.

    A visible light video of what nobody named says "Entire body", which is of no side.
    """
    if equipment.body_part:
        return is_paired(equipment.body_part)
    return not (kind is MediaKind.CLIP and equipment.object in _VISIBLE_LIGHT)
