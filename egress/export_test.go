package egress

import "net"

// On is a policy on a machine that has other addresses.
func On(own func() ([]net.Addr, error)) *Policy { return &Policy{own: own} }
