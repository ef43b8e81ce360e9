package router

import "renga"

// ValidRequestID opens the parser to fuzzing.
var ValidRequestID = validRequestID

// Waiting is how many of the app's requests wait for its next route.
func (rt *Router) Waiting(id renga.AppID) int64 {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	return rt.apps[id].traffic.waiting.Load()
}
