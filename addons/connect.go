package addons

import (
	"context"
	"net"

	"renga"
	"renga/addons/provider"
)

// Reaches tells whether the platform itself can connect to an add-on, once it is
// provisioned.
func (s *Service) Reaches(a renga.AddOn) bool {
	e, err := s.planned(a)
	_, can := e.by.(provider.Connector)
	return err == nil && can && e.Service.Port != 0
}

// Connect connects to an add-on, and to nothing else that is where it is.
func (s *Service) Connect(ctx context.Context, id renga.AddOnID) (net.Conn, error) {
	a, err := s.Store.AddOn(ctx, id)
	if err != nil {
		return nil, err
	}
	if a.State != renga.Provisioned {
		return nil, renga.Errorf(renga.Unavailable, "The add-on %s is not provisioned.", a.Name)
	}
	e, err := s.entryOf(ctx, a)
	if err != nil {
		return nil, err
	}
	to, can := e.by.(provider.Connector)
	if !can {
		return nil, renga.Errorf(renga.Invalid, "Nobody connects to a %s: it has no port.", e.Service.HumanName)
	}
	return to.Connect(ctx, e.Instance)
}
