"""The last resort of the network recovery: reboots, if it finds for itself that this is right. `plexguard-net-recover reboot`."""
