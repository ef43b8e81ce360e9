package addons

import (
	"context"
	"io"

	"renga"
	"renga/addons/catalogue"
	"renga/addons/provider"
)

// CheckArchive is an error if the data of an add-on cannot be copied, now or ever.
func (s *Service) CheckArchive(a renga.AddOn) error {
	_, _, err := s.archiver(a)
	return err
}

// Dump writes all data of an add-on in its service's own format. What was written is
// whole only if the error is nil.
func (s *Service) Dump(ctx context.Context, id renga.AddOnID, to io.Writer) error {
	by, i, err := s.archiverOf(ctx, id)
	if err != nil {
		return err
	}
	return by.Dump(ctx, i, to)
}

// Restore replaces all data of an add-on by those of a dump.
func (s *Service) Restore(ctx context.Context, id renga.AddOnID, from io.Reader) error {
	if err := s.notUpgrading(ctx, id); err != nil {
		return err
	}
	defer s.data.Lock(string(id))()
	if err := s.notUpgrading(ctx, id); err != nil { // it began while this waited
		return err
	}
	by, i, err := s.archiverOf(ctx, id)
	if err != nil {
		return err
	}
	if err := by.Restore(ctx, i, from); err != nil {
		return err
	}
	s.Look(id) // its data are others now, and may have been lost before
	return nil
}

// notUpgrading is an error while an add-on's data are on their way into another version.
func (s *Service) notUpgrading(ctx context.Context, id renga.AddOnID) error {
	a, err := s.Store.AddOn(ctx, id)
	if err == nil && a.Upgrade.UnderWay() {
		err = underWay(a)
	}
	return err
}

// DataBytes is what the data of an add-on take; 0 where nobody knows.
func (s *Service) DataBytes(ctx context.Context, id renga.AddOnID) (int64, error) {
	a, err := s.Store.AddOn(ctx, id)
	if err != nil {
		return 0, err
	}
	e, err := s.planned(a)
	if err != nil {
		return 0, err
	}
	m, ok := e.by.(provider.Meter)
	if !ok {
		return 0, nil
	}
	used, err := m.Measure(ctx, e.Instance)
	return used.DataBytes, err
}

func (s *Service) archiverOf(ctx context.Context, id renga.AddOnID) (provider.Archiver, provider.Instance, error) {
	a, err := s.Store.AddOn(ctx, id)
	if err != nil {
		return nil, provider.Instance{}, err
	}
	return s.archiver(a)
}

// archiver is who copies an add-on's data.
func (s *Service) archiver(a renga.AddOn) (provider.Archiver, provider.Instance, error) {
	e, err := s.planned(a)
	if err != nil {
		return nil, e.Instance, err
	}
	by, ok := e.by.(provider.Archiver)
	if !ok || e.Service.Dump.IsZero() && e.Service.Provider != catalogue.Disk {
		return nil, e.Instance, renga.Errorf(renga.Invalid, "%s has no backups.", e.Service.HumanName)
	}
	switch a.State {
	case renga.Provisioned:
		return by, e.Instance, nil
	case renga.Provisioning:
		return nil, e.Instance, renga.Errorf(renga.Invalid, "%s is still being provisioned.", a.Name)
	}
	return nil, e.Instance, there(&a)
}
