"""Parts of the body that a source may be set to: only those that are no pair, so that no picture needs a side.

The words are Body Part Examined's, the codes SNOMED CT's (PS3.16 annex L, CID 4).
"""

from typing import NamedTuple


class Region(NamedTuple):
    """A code of SNOMED CT, and its meaning."""

    code: str
    meaning: str


ENTIRE_BODY = Region("38266002", "Entire body")
BODY_PARTS = {
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
