package backups

import (
	"context"
	"io"

	"renga"
)

// copy has the data of one add-on replace another's, and keeps nothing of them on the
// way. It gives what the first's took. A dump that breaks off breaks the restore off: its
// end comes as an error there, so that a service that takes all or nothing takes nothing.
func (s *Service) copy(ctx context.Context, c renga.Backup) (source int64, err error) {
	if source, err = s.Archiver.DataBytes(ctx, c.From); err != nil {
		s.Log.Debug("the size of an add-on is not known", "addon", c.OfName, "err", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	from, to := io.Pipe()
	dumped := make(chan error, 1)
	out := &counter{to: to}
	go func() {
		err := s.Archiver.Dump(ctx, c.From, out)
		dumped <- err
		to.CloseWithError(err) // an end, when it is nil
	}()
	stop := s.showProgress(ctx, c, out)
	defer stop()
	err = s.Archiver.Restore(ctx, c.AddOn, from)
	if err == nil {
		_, err = io.Copy(io.Discard, from) // what a service leaves of a dump that it has understood
	}
	select {
	case broken := <-dumped:
		if broken != nil { // which is why the restore broke off
			err = broken
		}
	default: // the restore broke off, and the dump is to end
		cancel()
		from.CloseWithError(io.ErrClosedPipe)
		if broken := <-dumped; broken != nil {
			s.Log.Debug("the dump of a copy was broken off", "addon", c.OfName, "err", broken)
		}
	}
	return source, err
}
