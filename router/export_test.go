package router

// ValidRequestID opens the parser to fuzzing.
var ValidRequestID = validRequestID
