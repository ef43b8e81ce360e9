package api

// Routes are all that a server answers behind its door, those that need no token
// too.
func Routes() []Route { return (&Server{Door: NewDoor(Settings{}, DoorParts{})}).routes() }

// HostnameOf is hostnameOf.
func HostnameOf(text string) (string, error) { return hostnameOf(text) }
