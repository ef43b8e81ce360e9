package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"renga"
	"renga/addons/catalogue"
)

// checkAddOns tries files of add-on services as the next start would, and says what
// they offer: a line per plan, or what is wrong.
func checkAddOns(_ context.Context, p *program, args []string) error {
	_, files, err := p.parseSettings("addons:check", args)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return errors.New("usage: renga addons:check FILE…")
	}
	var wrong []error
	for _, file := range files {
		s, err := catalogue.Check(file)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		for _, plan := range s.Plans {
			fmt.Fprintln(p.out, describePlan(s, plan))
		}
	}
	return errors.Join(wrong...)
}

// describePlan says what an add-on of the plan is and has.
func describePlan(s catalogue.Service, p catalogue.Plan) string {
	has := []string{p.Provider}
	if s.Image != "" {
		has = append(has, s.Image)
	}
	if p.Memory > 0 {
		has = append(has, fmt.Sprintf("%s of memory", p.Memory))
	}
	if p.CPU > 0 {
		has = append(has, fmt.Sprintf("%v CPU", p.CPU))
	}
	if p.Disk > 0 {
		has = append(has, fmt.Sprintf("%s of disk", p.Disk))
	}
	if p.Connections > 0 {
		has = append(has, fmt.Sprintf("%d connections", p.Connections))
	}
	return renga.PlanName(s.Name, p.Name) + ": " + strings.Join(has, ", ")
}
