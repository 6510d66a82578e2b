/* acme_window.c */
#include "acme.h"
int
step_window(const struct step_options *opt)
{
	(void)opt;
	return EX_YES;
}
