package command

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"pidgeon/settings"
	"pidgeon/status"
)

// healthPatience is less than Docker's and Kubernetes' own timeouts.
const healthPatience = 4 * time.Second

const watchPause = 2 * time.Second

// Status prints the status of the running pidgeon, once or until it is interrupted.
func Status(c Call) int {
	flags := c.flags()
	asJSON := flags.Bool("json", false, "")
	watch := flags.Bool("watch", false, "")
	return c.run(flags, func() error {
		ctx, stop := interruptible()
		defer stop()
		for {
			err := c.printStatus(*asJSON, *watch)
			if !*watch {
				return err
			}
			if err != nil { // it may come back
				fmt.Fprintln(c.Stdout, clearScreen+err.Error())
			}
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(watchPause):
			}
		}
	})
}

const clearScreen = "\x1b[H\x1b[2J"

func (c Call) printStatus(asJSON, clear bool) error {
	now, err := c.ask(status.AskSessions, "error:")
	if err != nil {
		return err
	}
	if clear && !asJSON {
		fmt.Fprint(c.Stdout, clearScreen)
	}
	table := tabwriter.NewWriter(c.Stdout, 0, 0, 2, ' ', 0)
	defer table.Flush()
	c.Stdout = table
	return c.print(asJSON, now, "status")
}

func (c Call) ask(request func(context.Context, string) (status.Document, error), failed string) (now status.Document, err error) {
	s, err := settings.Load(c.Environ)
	if err != nil {
		return now, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), healthPatience)
	defer cancel()
	if now, err = request(ctx, string(s.RunDir)); err != nil {
		return now, failure{1, failed + " " + err.Error()}
	}
	return now, nil
}

// Health reports whether the running pidgeon serves or, with --live, answers at all. Only with
// --ready a database of AUTH has to answer too, because engines restart an unhealthy
// container, and a database that is down would then end all sessions.
func Health(c Call) int {
	flags := c.flags()
	live := flags.Bool("live", false, "")
	ready := flags.Bool("ready", false, "")
	return c.run(flags, func() error {
		now, err := c.ask(status.Ask, "unhealthy:")
		if err != nil {
			return err
		}
		healthy := now.Unhealthy
		if *ready {
			healthy = now.Unready
		}
		if err := healthy(); err != nil && !*live {
			return failure{1, "unhealthy: " + err.Error()}
		}
		if now.Degraded {
			fmt.Fprintf(c.Stdout, "degraded: generation %s serves, and a change was refused: see pidgeon status\n", now.Generation)
		} else {
			fmt.Fprintf(c.Stdout, "healthy: generation %s\n", now.Generation)
		}
		if !*live {
			if mail := now.Mail.Measure(); mail.Full {
				fmt.Fprintln(c.Stdout, "the volume of", mail.Dir, "is", mail)
			}
		}
		return nil
	})
}
