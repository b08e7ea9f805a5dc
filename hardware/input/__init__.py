"""Keys of pedals, keyboards and scanners as the kernel gives them (evdev): devices, event nodes, and a stand-in."""
