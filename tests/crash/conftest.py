"""The crash tests' own network, as for the loopback tests."""

from tests.loopback.peers.namespace import enter_private_network

enter_private_network()
