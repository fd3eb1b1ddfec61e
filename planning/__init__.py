"""Plans built on coverage: fibre, dedicated network, sharing, reports and the command line."""
