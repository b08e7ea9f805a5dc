"""Everything between this box and the others is looked at: what the panel asks of forward, which may call them."""

REQUEST = "connections"
