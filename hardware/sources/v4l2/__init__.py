"""Grabbers that the kernel knows as V4L2 devices: /dev/video0 and its like.

`source` is what the product reads. Below it, each by itself: `finding` (which node is it), `node` (the kernel's
calls, and where tests put a fake), `calls`, `inputs` with `analog`, `digital` (standard, timings), `signal` (loss
and change), `offers` and `modes` (format, size, rate, and the proof that they hold), `stream` (buffers), `pictures`
with `layouts`, `fields`, `colours` and `timing` (from a buffer to a `Picture`). linuxpy's tables of the kernel are
large: nothing but `finding`, `wish` and `layouts` is imported before a source of this kind is made.
"""
