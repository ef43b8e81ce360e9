package main

import (
	"context"
	"net"
	"strconv"

	apiaddons "renga/api/addons"

	"renga/addons"
	"renga/attach"
)

// tunnels let clients of the attach server connect to add-ons.
type tunnels struct {
	*addons.Service
	attach *attach.Server
}

// Open gives keys to an add-on.
func (t tunnels) Open(holder string, to apiaddons.Tunnel) (secret, key string, err error) {
	port, err := strconv.ParseUint(to.URL.Port(), 10, 16)
	if err != nil {
		return "", "", err
	}
	keys, err := t.attach.OpenService(holder, attach.Service{
		Dial: func(ctx context.Context) (net.Conn, error) { return t.Connect(ctx, to.AddOn.ID) },
		Host: to.URL.Hostname(), Port: uint16(port), Scheme: to.URL.Scheme, User: to.URL.User.Username(),
		App: to.App.Name, AddOn: to.AddOn.Name, Still: to.Still,
	})
	return keys.Secret, keys.Private, err
}
