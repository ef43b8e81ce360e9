package catalogue

import (
	"cmp"
	"slices"
	"strings"

	"renga"
)

// Catalogue is everything that the platform offers.
type Catalogue struct {
	services []Service
	byName   map[string]Service // aliases are names, too
}

// newCatalogue lays the operator's services over those that are shipped.
func newCatalogue(shipped, own entries) *Catalogue {
	c := &Catalogue{byName: map[string]Service{}}
	for name, s := range shipped {
		if _, replaced := own[name]; !replaced {
			c.services = append(c.services, s.Service)
		}
	}
	for _, s := range own {
		c.services = append(c.services, s.Service) // after those that are shipped: their aliases win
	}
	for _, s := range c.services {
		for _, alias := range s.Aliases {
			c.byName[alias] = s
		}
	}
	for _, s := range c.services {
		c.byName[s.Name] = s
	}
	slices.SortFunc(c.services, func(a, b Service) int { return cmp.Compare(a.Name, b.Name) })
	return c
}

// Services are all of them, by name. They belong to the catalogue: whoever asks
// changes nothing in them.
func (c *Catalogue) Services() []Service { return c.services }

// Service finds one by its name or an alias.
func (c *Catalogue) Service(name string) (Service, error) {
	s, ok := c.byName[name]
	if !ok {
		return Service{}, renga.Errorf(renga.NotFound,
			"Couldn't find that add-on service; `heroku addons:services` lists what there is.")
	}
	return s, nil
}

// Plan finds a plan by its whole name, service:plan, or by the service's alone:
// then it is the default one.
func (c *Catalogue) Plan(name string) (Service, Plan, error) {
	service, plan, chosen := strings.Cut(name, ":")
	if s, ok := c.byName[service]; ok {
		if !chosen {
			return s, s.Plans[0], nil
		}
		if p, ok := s.plan(plan); ok {
			return s, p, nil
		}
	}
	// The CLI offers the service's plans when the sentence begins so.
	return Service{}, Plan{}, renga.Errorf(renga.Invalid,
		"Couldn't find either the add-on service or the add-on plan of %q. `heroku addons:services` and `heroku "+
			"addons:plans SERVICE` list what there is.", renga.Clip(name, 100))
}

func (s Service) plan(name string) (Plan, bool) {
	i := slices.IndexFunc(s.Plans, func(p Plan) bool { return p.Name == name || slices.Contains(p.Aliases, name) })
	if i < 0 {
		return Plan{}, false
	}
	return s.Plans[i], true
}
