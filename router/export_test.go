package router

// Hostname and ValidRequestID open the parsers to fuzzing.
var (
	Hostname       = hostname
	ValidRequestID = validRequestID
)
