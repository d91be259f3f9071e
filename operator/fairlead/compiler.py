"""compile(): resources and observed state in; files, reports and status out. Pure and total."""
