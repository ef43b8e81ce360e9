package backups

import (
	"context"
	"fmt"

	"renga"
)

// ask asks for the backups that are due by their schedules. One whose time has passed
// while Renga was down is made late, and only one of several. That it was asked for is
// recorded behind it: the same one again finds the first, which is not over, or is one
// too many.
func (s *Service) ask(ctx context.Context) error {
	all, err := s.Schedules.BackupSchedules(ctx)
	if err != nil {
		return err
	}
	for _, sch := range all {
		due, is := sch.Due(s.Now())
		if !is {
			continue
		}
		if err := s.askFor(ctx, sch); err != nil {
			return fmt.Errorf("the schedule of add-on %s: %w", sch.AddOn, err)
		}
		err := s.Schedules.EditBackupSchedule(ctx, sch.ID, func(x *renga.BackupSchedule) error {
			x.Last = due
			return nil
		})
		if err != nil && renga.KindOf(err) != renga.NotFound {
			return err
		}
	}
	return nil
}

// askFor asks for a scheduled backup. A schedule goes with its add-on.
func (s *Service) askFor(ctx context.Context, sch renga.BackupSchedule) error {
	a, err := s.AddOns.AddOn(ctx, sch.AddOn)
	if renga.KindOf(err) == renga.NotFound {
		return s.Schedules.RemoveBackupSchedule(ctx, sch.ID)
	}
	if err != nil {
		return err
	}
	_, err = s.Capture(ctx, a, sch.Name, sch.By)
	switch renga.KindOf(err) {
	case renga.Conflict: // one is under way, whoever asked for it
		return nil
	case renga.Invalid:
		s.Logs.Line(a.App, renga.SourceHeroku, a.Service, "Scheduled backup of "+a.Name+" is not made: "+renga.MessageOf(err, ""))
		return nil
	}
	return err
}
