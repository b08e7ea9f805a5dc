"""Tables of a configuration that are right, for tests of what is not."""

SOURCE = '[[source]]\nname = "us"\ndevice = "pattern:bars"\n'
GRABBER = '[[source]]\nname = "us"\ndevice = "v4l2:/dev/video0"\n'
TRIGGER = '[[trigger]]\nkind = "serial"\ndevice = "/dev/ttyUSB0"\nsource = "us"\n'
PEER = 'name = "{}"\nae_title = "PACS"\nhost = "10.0.0.6"\nport = 104\n'
MEDIA = '[[destination]]\nname = "usb"\nkind = "media"\nfolder = "/media/usb"\n'
DESTINATION = "[[destination]]\n" + PEER.format("pacs")
STEPS = "[[procedure_step]]\n" + PEER.format("ris")
WORKLIST = "[[worklist]]\n" + PEER.format("ris")
