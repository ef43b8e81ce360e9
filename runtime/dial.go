package runtime

import (
	"context"
	"net"
	"strconv"

	"renga"
	"renga/runtime/engine"
)

// Dial connects to a port from within the running dyno of that name. When it
// cannot, the app's log says why: Heroku's CLI does not.
func (m *Manager) Dial(ctx context.Context, app renga.AppID, name, host string, port uint16) (net.Conn, error) {
	dialer, ok := m.engine.(engine.Dialer)
	if !ok {
		return nil, renga.Errorf(renga.Unavailable, "Connections from dynos are more than this engine can make.")
	}
	i, err := m.running(ctx, app, name)
	if err != nil {
		return nil, err
	}
	conn, err := dialer.Dial(ctx, i.ID, host, port)
	if err != nil {
		m.say(app, name, "Cannot connect to %s: %s",
			net.JoinHostPort(host, strconv.Itoa(int(port))), renga.MessageOf(err, "the reason is in Renga's log."))
	}
	return conn, err
}
