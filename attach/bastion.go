package attach

import (
	"context"
	"net"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"renga"
)

// Heroku's CLI connects to a database over SSH when config vars name a host and a
// key for it. It comes as the user bastion, and asks for tunnels to what the
// database's URL names. That is all that it is given.

// bastionUser is the CLI's user name.
const bastionUser = "bastion"

// serviceExtension is where a connection's permissions have the key of its service.
const serviceExtension = "service"

// channelPause is how long a connection may have no tunnel.
const channelPause = time.Minute

// checkServiceKey accepts the key to a service.
func (o *openServices) checkServiceKey(key ssh.PublicKey) (*ssh.Permissions, error) {
	known := byPublicKey(key)
	if !o.knows(known) {
		return nil, renga.Errorf(renga.Unauthorized, "the key is to no add-on, or has ended")
	}
	return &ssh.Permissions{Extensions: map[string]string{serviceExtension: known}}, nil
}

// checkClient accepts clients of dynos and of services.
func (d *Server) checkClient(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	if c.User() == bastionUser {
		return d.services.checkServiceKey(key)
	}
	return d.tickets.checkKey(c, key)
}

// Bastion serves one client over SSH: clients of add-ons, and none of dynos.
func (d *Server) Bastion(c net.Conn) {
	d.serveSSH(c, func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if c.User() != bastionUser {
			return nil, renga.Errorf(renga.Unauthorized, "only %s comes in here", bastionUser)
		}
		return d.services.checkServiceKey(key)
	})
}

// serveTunnels serves a client of a service until it is gone, its right to the
// service has ended, or it had no tunnel for too long.
func (d *Server) serveTunnels(ctx context.Context, server *ssh.ServerConn, key string, channels <-chan ssh.NewChannel) {
	s, leave, err := d.enter(key)
	if err != nil {
		return
	}
	defer leave()
	if err := s.Still.check(ctx); err != nil {
		d.Log.Info("client of an add-on refused", "app", s.App, "addon", s.AddOn, "reason", err)
		return
	}
	d.Log.Info("client of an add-on connected by SSH", "app", s.App, "addon", s.AddOn)
	go d.watchPermission(ctx, s.Still, func(why error) { // ends with the connection
		d.Log.Info("client of an add-on disconnected", "app", s.App, "addon", s.AddOn, "reason", why)
		_ = server.Close() // the client may have
	})
	ended := make(chan struct{})
	open, idle := 0, time.NewTimer(channelPause)
	defer idle.Stop()
	for {
		select {
		case <-idle.C:
			if open == 0 {
				_ = server.Close() // the client may have
			}
		case <-ended:
			open--
			idle.Reset(channelPause)
		case offered, ok := <-channels:
			if !ok {
				return
			}
			open++
			go func() { // ends with the connection
				d.serviceTunnel(ctx, key, offered)
				select {
				case ended <- struct{}{}:
				case <-ctx.Done():
				}
			}()
		}
	}
}

// serviceTunnel serves what a client of a service asks for: a tunnel to it.
func (d *Server) serviceTunnel(ctx context.Context, key string, offered ssh.NewChannel) {
	s, leave, err := d.enter(key)
	if err != nil {
		_ = offered.Reject(ssh.ResourceShortage, renga.MessageOf(err, "")) // the client may be gone, as below
		return
	}
	defer leave()
	host, port, ok := destination(offered)
	if !ok || !strings.EqualFold(host, s.Host) || port != s.Port {
		d.Log.Info("tunnel refused", "app", s.App, "addon", s.AddOn, "kind", offered.ChannelType(),
			"host", renga.Clip(host, 100), "port", port)
		_ = offered.Reject(ssh.Prohibited, "only tunnels to "+net.JoinHostPort(s.Host, strconv.Itoa(int(s.Port)))+" are served")
		return
	}
	conn, err := s.Dial(ctx)
	if err != nil {
		d.Log.Info("an add-on is not reached", "app", s.App, "addon", s.AddOn, "err", err)
		_ = offered.Reject(ssh.ConnectionFailed, renga.MessageOf(err, "the reason is in Renga's log"))
		return
	}
	defer func() { _ = conn.Close() }() // it was read and written to the end
	channel, asked, err := offered.Accept()
	if err != nil {
		return
	}
	go ssh.DiscardRequests(asked) // ends with the channel
	client, err := d.ease(s, channel)
	if err != nil {
		_ = channel.Close() // nothing else can be said
		return
	}
	d.relayTunnel(ctx, client, conn)
}

// destination is where a tunnel is asked for; not ok for anything else.
func destination(offered ssh.NewChannel) (host string, port uint16, ok bool) {
	var to struct {
		Host     string
		Port     uint32
		FromHost string
		FromPort uint32
	}
	if offered.ChannelType() != "direct-tcpip" || ssh.Unmarshal(offered.ExtraData(), &to) != nil ||
		to.Port == 0 || to.Port > 1<<16-1 {
		return "", 0, false
	}
	return to.Host, uint16(to.Port), true
}
