// made by npm run build in clients/js; do not edit
