"""The process with the network: worklist in, captures into objects, objects to their destinations. No devices."""
