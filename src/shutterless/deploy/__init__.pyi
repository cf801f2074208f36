"""The types of what `shutterless.deploy` offers; __init__.py imports each name when it is used."""

from shutterless.deploy.aws.logs import LogEntry as LogEntry
from shutterless.deploy.aws.logs import follow_logs as follow_logs
from shutterless.deploy.aws.logs import read_logs as read_logs
from shutterless.deploy.aws.session import connect as connect
from shutterless.deploy.cost.estimate import Estimate as Estimate
from shutterless.deploy.cost.estimate import estimate_cost as estimate_cost
from shutterless.deploy.cost.price_list import PriceTable as PriceTable
from shutterless.deploy.cost.price_list import fetch_prices as fetch_prices
from shutterless.deploy.cost.prices import Prices as Prices
from shutterless.deploy.cost.prices import load_prices as load_prices
from shutterless.deploy.cost.workload import Workload as Workload
from shutterless.deploy.deployer import Plan as Plan
from shutterless.deploy.deployer import deploy as deploy
from shutterless.deploy.deployer import destroy as destroy
from shutterless.deploy.deployer import list_resources as list_resources
from shutterless.deploy.deployer import plan as plan
from shutterless.deploy.deployer import promote as promote
from shutterless.deploy.deployer import rollback as rollback
from shutterless.deploy.options import OptionChanges as OptionChanges
from shutterless.deploy.options import Options as Options
from shutterless.deploy.state import Deployment as Deployment
from shutterless.deploy.status import Status as Status
from shutterless.deploy.status import read_status as read_status
