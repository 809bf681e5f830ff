// The npm client `nacos` (HTTP v1, pushes over UDP), driven by JSON lines.
'use strict';

const readline = require('readline');
const { NacosConfigClient, NacosNamingClient } = require('nacos');

const say = message => process.stdout.write(JSON.stringify(message) + '\n');
const log = (...words) => console.error(...words);
const logger = { ...console, log, info: log, warn: log, error: log, debug() {} };

let config;
let naming;

const acts = {
  async open({ server, namespace, username, password, folder }) {
    const who = username ? { username, password } : {};
    config = new NacosConfigClient({ serverAddr: server, namespace, cacheDir: folder, ...who });
    config.on('error', error => log('config:', error.message));
    naming = new NacosNamingClient({ logger, serverList: server, namespace, ...who });
    naming.on('error', error => log('naming:', error.message));
    await Promise.all([config.ready(), naming.ready()]);
    return null;
  },

  publish: ({ data_id, group, content, type }) => config.publishSingle(data_id, group, content, { type }),

  get: ({ data_id, group }) => config.getConfig(data_id, group),

  remove: ({ data_id, group }) => config.remove(data_id, group),

  async listen({ data_id, group }) {
    config.subscribe({ dataId: data_id, group }, content => say({ event: 'config', data_id, group, content }));
    return null;
  },

  async register({ service, group, ...instance }) {
    await naming.registerInstance(service, instance, group);
    return true;
  },

  async deregister({ service, group, ...instance }) {
    await naming.deregisterInstance(service, instance, group);
    return true;
  },

  async instances({ service, group }) {
    const found = await naming.getAllInstances(service, group, '', false);
    return found.map(({ ip, port, weight, healthy, metadata }) => ({ ip, port, weight, healthy, metadata }));
  },

  async subscribe({ service, group }) {
    naming.subscribe({ serviceName: service, groupName: group }, hosts => {
      say({ event: 'hosts', service, group, ports: hosts.map(host => host.port) });
    });
    return null;
  },
};

async function obey(line) {
  const { id, op, ...fields } = JSON.parse(line);
  try {
    const value = await acts[op](fields);
    say({ id, value: value === undefined ? null : value });
  } catch (error) {
    say({ id, error: `${error.name}: ${error.message}` });
  }
}

process.on('unhandledRejection', error => log('unhandled:', error));
readline.createInterface({ input: process.stdin }).on('line', obey).on('close', () => process.exit(0));
