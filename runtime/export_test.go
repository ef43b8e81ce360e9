package runtime

// Get is the health check by HTTP.
var Get = get
