"""wpa_supplicant's file for a switch that asks who is there (IEEE 802.1X, EAP-TLS). Text from values.

No name and no key of a Wi-Fi stands here: the box has a cable.
"""

from gateway.config.machine import Network
from gateway.machine.network.networkd import HEAD

UNIT = "scopegate-port-access"


def text(network: Network) -> str:
    """Return the file, "" when the switch asks nobody. Values hold no quote (gateway/config/machine.py)."""
    access = network.ieee8021x
    if access is None:
        return ""
    return "\n".join(
        [
            HEAD,
            f"ctrl_interface=/run/{UNIT}/control",
            "ap_scan=0",
            "fast_reauth=1",
            "network={",
            "    key_mgmt=IEEE8021X",
            "    eap=TLS",
            "    eapol_flags=0",
            f'    identity="{access.identity}"',
            f'    ca_cert="{access.ca}"',
            f'    client_cert="{access.certificate}"',
            f'    private_key="{access.key}"',
            "}",
            "",
        ]
    )
