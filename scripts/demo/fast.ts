import { seconds } from '../../src/lib/units.ts';
import { World } from '../../test/simulation/world.ts';

/** The story of the demo in virtual time; 0 when it ends as told. */
export async function fast(say: (text: string) => void): Promise<number> {
  const world = new World({
    rps: 100,
    annotations: { 'haldane.dev/steps': '5,25,50' },
    errorRate: (version) => (version === 'v3' ? 0.05 : 0),
  });
  await world.clock.advance(seconds(3));
  world.traffic.start();
  const life = world.start();
  await world.clock.advance(seconds(60));
  await world.release('v2');
  await world.begin();
  await world.settle();
  await world.release('v3');
  await world.clock.runUntil(() => world.notices.length >= 2, seconds(600));
  await world.clock.advance(seconds(30));
  for (const { kind, because, exposedRequests, failedRequests, duration } of world.notices) {
    const requests = `${exposedRequests} requests, ${failedRequests} failed`;
    say(`${kind}: ${because} (${requests}, ${Math.round(duration / 1000)} s)`);
  }
  const told = world.notices.map(({ kind }) => kind).join();
  const { lost } = world.traffic;
  life.kill();
  world.stop();
  const ends = told === 'promotion,rollback' && lost === 0;
  say(ends ? 'The story ended as it should.' : `Unexpected: ${told}, ${lost} requests lost`);
  return ends ? 0 : 1;
}
