// Starts the dashboard.

import "./app";

document.body.append(document.createElement("tp-app"));
