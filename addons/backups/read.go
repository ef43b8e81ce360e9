package backups

import (
	"context"
	"io"

	"renga"
)

// maxReaders is how many fetch backups at once.
const maxReaders = 8

// Reader reads the dump of a backup from its beginning; done must be called. Only
// io.EOF says that it was read whole. TooMany while too many do so.
func (s *Service) Reader(ctx context.Context, b renga.Backup) (dump io.Reader, done func(), err error) {
	if !s.addReader() {
		return nil, nil, renga.Errorf(renga.TooMany, "%d backups are being downloaded already; try again later.", maxReaders)
	}
	dump, finished, err := s.open(ctx, b)
	if err != nil {
		s.dropReader()
		return nil, nil, err
	}
	return dump, func() { finished(); s.dropReader() }, nil
}

func (s *Service) addReader() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readers >= maxReaders {
		return false
	}
	s.readers++
	return true
}

func (s *Service) dropReader() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readers--
}
