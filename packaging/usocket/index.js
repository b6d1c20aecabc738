// dbus-next falls back to net.createConnection when this module fails to load. Gantry never passes file
// descriptors over dbus-next: with them negotiated, any caller could exhaust the descriptors of the agent.
throw new Error("usocket is left out on purpose");
