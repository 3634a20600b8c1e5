// The viewer's page: people of one or more motions, each a .glb, over time.
//
// What moves is in the .glb and played by three.js: bones, who is there (a person's node has scale 0 elsewhere), the
// camera. This file draws what helps to read it: floor, trails, ids, lanes of who is there, the film behind the
// camera's view. Everything stands on one floor, y up, metres; times are seconds since the first motion's start.
"use strict";
(() => {
const TRAIL_S = 5;         // a trail fades over that time, and stays faint after it
const TRAIL_M = 0.05;      // its width
const GHOST = 0.3;         // opacity of somebody who is not seen
const CAMERA_M = 0.5;      // length of the drawn camera
const HAIR_S = 1e-4;       // later than a frame's time, so that what changes with the frame has changed
const NEAR_M = 0.05, FAR_M = 2000;
const NARROW_PX = 640;     // pages narrower than that have their options behind a button, as page.css
const SAMPLES = 400;       // of a path, that tell where somebody is on the whole
const STRAY = 6;           // times the median distance from the middle: farther off is a stray, but for
const PATH_M = 6, GROUP_M = 12; // metres of one's own path, and from the others
const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const bytes = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
const make = (parent, kind, properties = {}) => parent.appendChild(Object.assign(document.createElement(kind), properties));

const renderer = new THREE.WebGLRenderer({ canvas: $("scene"), antialias: true, alpha: true });
renderer.shadowMap.enabled = true;
renderer.shadowMap.type = THREE.PCFShadowMap;
const scene = new THREE.Scene();
const orbit = new THREE.PerspectiveCamera(38, 1, NEAR_M, FAR_M);
const lens = new THREE.PerspectiveCamera(); // the filming camera; its projection is the video's K
lens.matrixAutoUpdate = false;
const controls = new THREE.OrbitControls(orbit, $("scene"));
controls.maxPolarAngle = 0.495 * Math.PI;
const state = { camera: orbit, time: 0, playing: false, motions: [], eye: null, pictures: [], mending: null };

// --- loading ---------------------------------------------------------------------------------------------------

async function load(about) {
  const gltf = await new THREE.GLTFLoader().parseAsync(bytes(about.glb).buffer, "");
  const motion = { ...about, people: [], hidden: new Set(), group: new THREE.Group(), ground: new THREE.Group() };
  motion.ground.matrixAutoUpdate = false;
  motion.ground.matrix.fromArray(about.ground);
  motion.ground.add(gltf.scene);
  motion.group.add(motion.ground);
  scene.add(motion.group);
  const [clip] = gltf.animations;
  motion.mixer = new THREE.AnimationMixer(gltf.scene);
  motion.action = motion.mixer.clipAction(clip);
  motion.action.setLoop(THREE.LoopOnce).play();
  const track = (node, what) => clip.tracks.find((each) => each.name === `${node.name}.${what}`);
  gltf.scene.updateMatrixWorld(true);
  gltf.scene.traverse((mesh) => { if (mesh.isSkinnedMesh) motion.people.push(person(motion, mesh, track)); });
  if (gltf.cameras.length) motion.camera = filming(motion, gltf.cameras[0], track);
  state.motions.push(motion);
}

function person(motion, mesh, track) {
  const [pelvis] = mesh.skeleton.bones, root = pelvis.parent, scale = track(root, "scale");
  const there = []; // seconds: start, end, ...
  if (scale) scale.times.forEach((start, i) => {
    if (scale.values[3 * i]) there.push([start, scale.times[i + 1] ?? motion.duration_s]);
  });
  else there.push([0, motion.duration_s]);
  const frame_s = 1 / motion.fps, pairs = root.userData.unseen_s;
  const unseen = pairs.flatMap((start, i) => (i % 2 ? [] : [[start, pairs[i + 1] + frame_s]]));
  mesh.frustumCulled = false; // its bounds are those of the pose at rest
  mesh.receiveShadow = true;
  mesh.material = mesh.material.clone();
  const colour = `#${mesh.material.color.getHexString()}`;
  const steps = track(pelvis, "position");
  const path = Array.from(steps.times, (_, i) => new THREE.Vector3().fromArray(steps.values, 3 * i).applyMatrix4(motion.ground.matrix));
  const one = { mesh, root, there, unseen, path, head: mesh.skeleton.bones[15], id: root.userData.person };
  Object.assign(one, { called: one.id, colours: { [one.id]: colour }, spells: [{ start: -Infinity, end: Infinity, id: one.id }] });
  one.trail = trail(path, steps.times, one, motion.cuts[one.id], frame_s);
  motion.group.add(one.trail);
  return one;
}

/** A ribbon on the floor below a path, broken at ``cuts``, the places with which other shots begin; ``at`` is the time
    at which it was there, ``seen`` whether the person was. */
function trail(path, times, one, cuts, frame_s) {
  const position = [], at = [], seen = [], index = [];
  const joined = (i) => i > 0 && i < path.length && times[i] - times[i - 1] < 1.5 * frame_s && !cuts.includes(i);
  for (let i = 0; i < path.length; i++) {
    const before = path[joined(i) ? i - 1 : i], after = path[joined(i + 1) ? i + 1 : i];
    const [dx, dz] = [after.x - before.x, after.z - before.z], long = Math.hypot(dx, dz) || 1;
    for (const side of [-0.5, 0.5]) {
      position.push(path[i].x - side * TRAIL_M * dz / long, 0, path[i].z + side * TRAIL_M * dx / long);
      at.push(times[i]);
      seen.push(one.unseen.some(([start, end]) => times[i] > start - frame_s / 2 && times[i] < end - frame_s / 2) ? 0 : 1);
    }
    if (joined(i)) {
      const v = 2 * i;
      index.push(v - 2, v - 1, v, v, v - 1, v + 1);
    }
  }
  const geometry = new THREE.BufferGeometry();
  for (const [name, values, size] of [["position", position, 3], ["at", at, 1], ["seen", seen, 1]]) {
    geometry.setAttribute(name, new THREE.BufferAttribute(new Float32Array(values), size));
  }
  geometry.setIndex(index);
  const material = new THREE.ShaderMaterial({
    uniforms: { now: { value: 0 }, colour: { value: one.mesh.material.color } },
    vertexShader: `
      attribute float at, seen; uniform float now; varying float alpha;
      void main() {
        float age = now - at;
        alpha = age < -1e-4 ? -1e3 : mix(0.4, 1.0, seen) * mix(0.22, 0.9, clamp(1.0 - age / ${TRAIL_S.toFixed(1)}, 0.0, 1.0));
        gl_Position = projectionMatrix * modelViewMatrix * vec4(position, 1.0);
      }`,
    fragmentShader: `
      uniform vec3 colour; varying float alpha;
      void main() { if (alpha <= 0.0) discard; gl_FragColor = vec4(colour, alpha);
        #include <colorspace_fragment>
      }`,
    transparent: true, depthWrite: false, side: THREE.DoubleSide, polygonOffset: true, polygonOffsetFactor: -2,
  });
  const mesh = new THREE.Mesh(geometry, material);
  mesh.frustumCulled = false;
  mesh.renderOrder = 2;
  return mesh;
}

function lines(points, colour) {
  const geometry = new THREE.BufferGeometry().setFromPoints(points);
  return new THREE.LineSegments(geometry, new THREE.LineBasicMaterial({ color: colour }));
}

/** The camera as a pyramid with a mark above its picture, and its path if it moves. */
function filming(motion, camera, track) {
  const about = { ...camera.parent.userData, ...camera.userData };
  const [fx, skew, cx, , fy, cy] = about.K_px, { width_px: w, height_px: h } = about;
  const corner = (x, y) => {
    const up = -(y - cy) / fy;
    return new THREE.Vector3((x - cx + skew * up) / fx, up, -1).multiplyScalar(CAMERA_M);
  };
  const eye = new THREE.Vector3(), ring = [corner(0, 0), corner(w, 0), corner(w, h), corner(0, h)], top = corner(w / 2, -0.3 * h);
  const body = lines([...ring.flatMap((each, i) => [eye, each, each, ring[(i + 1) % 4]]), ring[0], top, ring[1], top], 0x2b2f38);
  camera.add(body);
  const steps = track(camera, "position"), drawn = [body];
  const known = (i) => !within(motion.camera_unknown_s, steps.times[i]);
  let path = [camera.position.clone().applyMatrix4(motion.ground.matrix)];
  if (steps) {
    path = Array.from(steps.times, (_, i) => new THREE.Vector3().fromArray(steps.values, 3 * i).applyMatrix4(motion.ground.matrix));
    drawn.push(lines(path.flatMap((each, i) => (i && known(i - 1) && known(i) && !motion.cuts.camera.includes(i) ? [path[i - 1], each] : [])), 0x8a90a0));
    motion.group.add(drawn[1]);
    path = path.filter((_, i) => known(i));
  }
  const projection = new THREE.Matrix4().set(
    2 * fx / w, 2 * skew / w, 1 - 2 * cx / w, 0,
    0, 2 * fy / h, 2 * cy / h - 1, 0,
    0, 0, -(FAR_M + NEAR_M) / (FAR_M - NEAR_M), -2 * FAR_M * NEAR_M / (FAR_M - NEAR_M),
    0, 0, -1, 0);
  return { node: camera, drawn, path, projection, width: w, height: h };
}

// --- the room --------------------------------------------------------------------------------------------------

/** Stands motions beside each other, as seen from the first one's camera; lights, floor and the first look at it all. */
function furnish() {
  const box = new THREE.Box3();
  for (const motion of state.motions) motion.near = together(motion.people);
  const points = (motion) => motion.near;
  const centre = new THREE.Box3().setFromPoints(points(state.motions[0])).getCenter(new THREE.Vector3());
  const back = new THREE.Vector3(0, 0, 1), [eye] = state.motions[0].camera?.path ?? [];
  if (eye) back.copy(eye).sub(centre).setY(0);
  if (back.length() < 0.5) back.set(0, 0, 1);
  back.normalize();
  const right = new THREE.Vector3(back.z, 0, -back.x);
  const stood = []; // where everybody is, from the floor to above heads
  let edge = 0;
  state.motions.forEach((motion, i) => {
    const [low, high] = bounds(points(motion).map((point) => point.dot(right)));
    motion.beside = right.clone().multiplyScalar(i ? edge + 1 - low : 0);
    edge = (i ? edge + 1 - low : 0) + high + 1;
    for (const point of points(motion)) {
      const place = point.clone().add(motion.beside);
      box.expandByPoint(place.clone().setY(1));
      stood.push(...tall(place));
    }
    const around = bounds(points(motion).map((point) => point.dot(back)));
    motion.front = right.clone().multiplyScalar((low + high) / 2).addScaledVector(back, around[1] + 1);
  });
  const middle = box.getCenter(new THREE.Vector3()).setY(0.9);
  const radius = Math.max(box.getSize(new THREE.Vector3()).length() / 2, 1) + 1;
  const from = back.applyAxisAngle(new THREE.Vector3(0, 1, 0), 0.5).setY(0.5).normalize();
  state.first = { middle, from, stood };
  lookFrom(state.first);

  scene.add(new THREE.HemisphereLight(0xffffff, 0xc9ccd4, 2.1));
  const sun = new THREE.DirectionalLight(0xffffff, 1.9);
  sun.target.position.copy(middle);
  sun.position.copy(middle).addScaledVector(new THREE.Vector3(0.5, 1.6, 0.35).applyAxisAngle(new THREE.Vector3(0, 1, 0), Math.atan2(from.x, from.z)), 2 * radius);
  sun.castShadow = true;
  const reach = radius + 1.5;
  Object.assign(sun.shadow.camera, { left: -reach, right: reach, top: reach, bottom: -reach, near: 0.1, far: 8 * radius });
  sun.shadow.mapSize.setScalar(2048);
  sun.shadow.radius = 3;
  sun.shadow.bias = -5e-4;
  sun.shadow.normalBias = 0.02;
  scene.add(sun, sun.target);
  state.floor = floor(middle, Math.max(3 * radius, 8));
  scene.add(state.floor);
}

/** From the floor to above the head of somebody whose pelvis is there. */
const tall = (place) => [place.clone().setY(Math.min(place.y - 1, 0)), place.clone().setY(Math.max(place.y + 1.2, 2.2))];

/** Look at points from a side so that all are in the picture. */
function lookFrom({ middle, from, stood }) {
  controls.target.copy(middle);
  orbit.position.copy(middle).addScaledVector(from, distance(stood, middle, from));
  controls.update();
}

/** Frame whoever is shown now, from the side that is looked from. */
function lookAtThem() {
  const heads = state.motions.flatMap((motion) => motion.people.filter((one) => one.shown)
    .map((one) => one.mesh.skeleton.bones[0].getWorldPosition(new THREE.Vector3())));
  const there = together(heads.map((place) => ({ path: [place] })));
  if (!there.length) return;
  const middle = new THREE.Box3().setFromPoints(there).getCenter(new THREE.Vector3());
  lookFrom({ middle, from: orbit.position.clone().sub(controls.target).normalize(), stood: there.flatMap(tall) });
  refresh();
}

/** Places of people on the whole: some of each path, without strays of a path and without people far from all others. */
function together(people) {
  const some = people.filter((one) => one.path.length).map(({ path }) => {
    const every = Math.max(Math.floor(path.length / SAMPLES), 1), places = path.filter((_, i) => i % every === 0);
    const middle = median(places), far = places.map((place) => place.distanceTo(middle));
    const most = Math.max(STRAY * quantile(far, 0.5), PATH_M);
    return { middle, places: places.filter((_, i) => far[i] <= most) };
  });
  if (!some.length) return [];
  const middle = median(some.map((one) => one.middle)), far = some.map((one) => one.middle.distanceTo(middle));
  const most = Math.max(STRAY * quantile(far, 0.5), GROUP_M);
  return some.filter((_, i) => far[i] <= most).flatMap((one) => one.places);
}

function quantile(numbers, share) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.round(share * (sorted.length - 1))];
}

/** Point by point and axis by axis. */
const median = (points) => new THREE.Vector3(...["x", "y", "z"].map((axis) => quantile(points.map((point) => point[axis]), 0.5)));

/** How far from the middle, towards ``from``, an eye sees all points. */
function distance(points, middle, from) {
  const { clientWidth: width, clientHeight: height } = $("view");
  const right = new THREE.Vector3(from.z, 0, -from.x).normalize(), up = from.clone().cross(right);
  const high = 0.85 * Math.tan(orbit.fov * Math.PI / 360), wide = high * Math.max(width > NARROW_PX ? width - 220 : 0.9 * width, 200) / height;
  const needed = points.map((point) => {
    const away = point.clone().sub(middle);
    return away.dot(from) + Math.max(Math.abs(away.dot(right)) / wide, Math.abs(away.dot(up)) / high);
  });
  return Math.max(bounds(needed)[1], 3);
}

function bounds(numbers) {
  return numbers.reduce(([low, high], each) => [Math.min(low, each), Math.max(high, each)], [Infinity, -Infinity]);
}

/** A grid of metres that fades into the distance, every fifth line stronger, and the shadows on it. */
function floor(middle, reach) {
  const group = new THREE.Group();
  const plane = new THREE.PlaneGeometry(2 * reach, 2 * reach).rotateX(-Math.PI / 2);
  const grid = new THREE.Mesh(plane, new THREE.ShaderMaterial({
    uniforms: { middle: { value: middle }, reach: { value: reach } },
    vertexShader: `
      varying vec3 place;
      void main() {
        vec4 world = modelMatrix * vec4(position, 1.0);
        place = world.xyz;
        gl_Position = projectionMatrix * viewMatrix * world;
      }`,
    fragmentShader: `
      uniform vec3 middle; uniform float reach; varying vec3 place;
      float line(vec2 p) {
        vec2 width = fwidth(p), away = abs(fract(p - 0.5) - 0.5) / width;
        vec2 drawn = (1.0 - min(away, 1.0)) * (1.0 - smoothstep(0.15, 0.5, width));
        return max(drawn.x, drawn.y);
      }
      void main() {
        float far = 1.0 - smoothstep(0.35, 1.0, length(place.xz - middle.xz) / reach);
        gl_FragColor = vec4(vec3(0.42, 0.45, 0.52), far * max(0.30 * line(place.xz), 0.60 * line(place.xz / 5.0)));
      }`,
    transparent: true, depthWrite: false, side: THREE.DoubleSide,
  }));
  const shade = new THREE.Mesh(plane, new THREE.ShadowMaterial({ opacity: 0.16, depthWrite: false }));
  shade.receiveShadow = true;
  grid.position.set(middle.x, -0.002, middle.z);
  shade.position.copy(grid.position);
  shade.renderOrder = 1;
  group.add(grid, shade);
  return group;
}

// --- one moment ------------------------------------------------------------------------------------------------

const within = (spells, time) => spells.some(([start, end]) => time >= start - 1e-4 && time < end - 1e-4);

function pose() {
  for (const motion of state.motions) {
    const time = Math.min(Math.max(state.time - motion.start_s, 0), motion.action.getClip().duration - HAIR_S);
    motion.action.time = time + HAIR_S;
    motion.mixer.update(0);
    const chosen = state.eye === null || state.eye === motion;
    if (motion.camera) motion.camera.known = !within(motion.camera_unknown_s, time + HAIR_S);
    const blind = state.eye === motion && !motion.camera.known;
    motion.group.visible = chosen;
    motion.group.position.copy($("overlay").checked || state.eye ? new THREE.Vector3() : motion.beside);
    const lies = $("overlay").checked && !state.eye && motion !== state.motions[0];
    for (const one of motion.people) {
      one.unseenNow = within(one.unseen, time);
      call(one, Edits.at(one.spells, source(state.time) + HAIR_S));
      const wanted = one.called !== null && !motion.hidden.has(one.called);
      one.shown = chosen && !blind && wanted && one.root.scale.x > 0 && ($("show-ghosts").checked || !one.unseenNow);
      one.mesh.visible = one.shown;
      one.mesh.castShadow = !one.unseenNow;
      one.mesh.material.wireframe = lies;
      one.mesh.material.opacity = one.unseenNow ? GHOST : 1;
      if (one.mesh.material.transparent !== one.unseenNow) {
        one.mesh.material.transparent = one.unseenNow;
        one.mesh.material.needsUpdate = true;
      }
      one.trail.visible = $("show-trails").checked && wanted && !(state.eye && state.pictures.length);
      one.trail.material.uniforms.now.value = time;
    }
    motion.camera?.drawn.forEach((part, i) => { part.visible = $("show-camera").checked && !state.eye && (i > 0 || motion.camera.known); });
  }
  state.floor.visible = $("show-floor").checked && !(state.eye && (state.pictures.length || !state.eye.camera.known));
}

/** Seconds of the source at a time of the page. */
const source = (time) => time + data.frames.first_s;

/** Somebody is called so from now on; null: nothing is left of them here. */
function call(one, id) {
  if (one.called === id) return;
  one.called = id;
  if (id === null) return;
  one.tag.textContent = id;
  one.tag.style.setProperty("--colour", colour(one, id));
  one.mesh.material.color.set(colour(one, id));
}

/** The colour of an identity: one's own, or as Python has it. */
const colour = (one, id) => one.colours[id] ?? data.colours[id % data.colours.length];

let asked = false;
function refresh() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => { asked = false; draw(); });
}

function draw() {
  const { clientWidth: width, clientHeight: height } = $("view");
  pose();
  scene.updateMatrixWorld(true);
  const sharp = Math.min(devicePixelRatio, 2);
  if (renderer.domElement.width !== Math.floor(width * sharp) || renderer.domElement.height !== Math.floor(height * sharp)) {
    renderer.setPixelRatio(sharp);
    renderer.setSize(width, height, false);
  }
  let camera = orbit, rect = [0, 0, width, height];
  if (state.eye) {
    const { node, projection, width: w, height: h } = state.eye.camera, fit = Math.min(width / w, height / h);
    rect = [(width - w * fit) / 2, (height - h * fit) / 2, w * fit, h * fit];
    camera = lens;
    lens.matrix.copy(node.matrixWorld);
    lens.matrixWorldNeedsUpdate = true;
    lens.projectionMatrix.copy(projection);
    lens.projectionMatrixInverse.copy(projection).invert();
    Object.assign($("film").style, Object.fromEntries(["left", "top", "width", "height"].map((side, i) => [side, `${rect[i]}px`])));
    film();
  } else {
    orbit.aspect = width / height;
    orbit.updateProjectionMatrix();
  }
  const [x, y, w, h] = rect;
  renderer.setScissorTest(true);
  renderer.setViewport(x, height - y - h, w, h);
  renderer.setScissor(x, height - y - h, w, h);
  renderer.render(scene, camera);
  tags(camera, rect);
  report();
}

/** Ids above heads; names below motions, if there are several. */
function tags(camera, [left, top, width, height]) {
  const place = (tag, point, shown) => {
    point.project(camera);
    tag.hidden = !shown || point.z > 1 || Math.abs(point.x) > 1 || Math.abs(point.y) > 1.5;
    const x = left + (point.x + 1) / 2 * width, y = top + Math.max((1 - point.y) / 2 * height, 22);
    tag.style.transform = `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px) translate(-50%, -100%)`;
  };
  for (const motion of state.motions) {
    if (motion.tag) place(motion.tag, motion.front.clone().add(motion.group.position), !state.eye && !$("overlay").checked);
    for (const one of motion.people) {
      const over = one.head.getWorldPosition(new THREE.Vector3());
      one.tag.classList.toggle("unseen", one.unseenNow);
      place(one.tag, over.setY(over.y + 0.27), one.shown && $("show-ids").checked);
    }
  }
}

let drawnPicture = null;
function film() {
  const canvas = $("film"), last = data.pictures?.times_s.findLastIndex((each) => each <= state.time + 1e-3) ?? -1;
  if (last < 0 || last === drawnPicture) return;
  drawnPicture = last;
  createImageBitmap(state.pictures[last]).then((bitmap) => {
    if (drawnPicture !== last) return;
    Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
  });
}

/** The source's own number of the first motion's frame at this time. */
function frameNumber() {
  const { times_s, numbers } = data.frames;
  return numbers[Math.max(times_s.findLastIndex((each) => each <= state.time + 1e-3), 0)];
}

const clock = (time) => `${Math.floor(time / 60)}:${(time % 60).toFixed(2).padStart(5, "0")}`;
function report() {
  const here = state.motions.flatMap((motion) => motion.people).filter((one) => one.shown && !one.unseenNow).length;
  const text = `${clock(state.time)} / ${clock(state.duration)}`;
  const unknown = (state.eye ? [state.eye] : state.motions).some((motion) => motion.camera && !motion.camera.known);
  const told = unknown ? "camera not known here" : `${here} seen`;
  $("clock").innerHTML = `${text}<small>frame ${frameNumber()}, ${told}</small>`;
  $("time").value = state.time;
  const share = `${100 * state.time / state.duration}%`;
  for (const head of document.querySelectorAll(".lane b")) head.style.left = share;
}

// --- what people do --------------------------------------------------------------------------------------------

function seek(time) {
  state.time = Math.min(Math.max(time, 0), state.duration);
  refresh();
}

function step(frames) {
  play(false);
  seek((Math.round(state.time * state.fps) + frames) / state.fps);
}

function play(on = !state.playing) {
  state.playing = on;
  $("play").classList.toggle("playing", on);
  $("play").setAttribute("aria-label", on ? "Pause" : "Play");
  let before = performance.now();
  const tick = (now) => {
    if (!state.playing) return;
    const time = state.time + (now - before) / 1000 * $("speed").value;
    before = now;
    state.time = time < state.duration ? Math.max(time, 0) : 0;
    draw();
    requestAnimationFrame(tick);
  };
  if (on) requestAnimationFrame(tick);
}

function look(motion) {
  state.eye = motion;
  controls.enabled = motion === null;
  $("film").hidden = motion === null;
  drawnPicture = null;
  refresh();
}

function eyes() {
  const several = state.motions.length > 1;
  const add = (text, motion) => {
    const label = make($("eyes"), "label");
    const radio = make(label, "input", { type: "radio", name: "eye", checked: motion === null });
    label.append(text);
    radio.addEventListener("change", () => look(motion));
    return radio;
  };
  const radios = [add("from anywhere", null)];
  for (const motion of state.motions) {
    if (motion.camera) radios.push(add(several ? `camera of ${motion.name}` : "through the camera", motion));
  }
  return () => radios[(radios.findIndex((radio) => radio.checked) + 1) % radios.length].click();
}

/** A tag above everybody's head, and above each motion if there are several. */
function tagged() {
  for (const motion of state.motions) {
    if (state.motions.length > 1) motion.tag = make($("tags"), "span", { className: "motion", textContent: motion.name });
    for (const one of motion.people) {
      one.tag = make($("tags"), "span", { className: "person", textContent: one.id });
      one.tag.style.setProperty("--colour", colour(one, one.id));
    }
  }
}

/** A lane for each identity: when it is there and seen, by whomever of the people it was tracked as. */
function lanes() {
  for (const row of $("lanes").querySelectorAll(".row:not(#ruler)")) row.remove();
  for (const motion of state.motions) {
    if (state.motions.length > 1) make(make($("lanes"), "div", { className: "row" }), "h2", { textContent: motion.name });
    const parts = motion.people.flatMap((one) => one.spells.filter(({ id }) => id !== null).map((spell) => ({ one, ...spell })));
    const ids = [...new Set(parts.map(({ id }) => id))].sort((a, b) => a - b);
    for (const id of ids) lane(motion, id, parts.filter((part) => part.id === id));
  }
}

function lane(motion, id, parts) {
  const share = (time) => 100 * time / state.duration;
  const mended = motion === state.motions[0] && state.mending;
  const there = parts.flatMap(({ one, start, end }) => clipped(motion, one.there, start, end)).sort(([a], [b]) => a - b);
  if (!there.length) return;
  const row = make($("lanes"), "div", { className: "row" });
  row.style.setProperty("--colour", colour(parts[0].one, id));
  row.classList.toggle("chosen", Boolean(mended && state.mending.chosen.some((each) => each.id === id)));
  const chip = make(row, "button", { type: "button", textContent: `person ${id}`, title: "Show or hide" });
  chip.ariaPressed = String(!motion.hidden.has(id));
  chip.addEventListener("click", () => {
    if (!motion.hidden.delete(id)) motion.hidden.add(id);
    chip.ariaPressed = String(!motion.hidden.has(id));
    refresh();
  });
  const bars = make(row, "div", { className: "lane" });
  const seen = (part) => without(clipped(motion, part.one.there, part.start, part.end), clipped(motion, part.one.unseen, part.start, part.end));
  const unseen = parts.flatMap((part) => without(
    clipped(motion, part.one.unseen, part.start, part.end), parts.filter((other) => other !== part).flatMap(seen)));
  for (const [spells, className] of [[there, ""], [unseen, "unseen"]]) {
    for (const [start, end] of spells) {
      const part = make(bars, "i", { className });
      part.style.left = `${share(motion.start_s + start)}%`;
      part.style.width = `${share(end - start)}%`;
    }
  }
  make(bars, "b");
  const time = (event) => {
    const { left, width } = bars.getBoundingClientRect();
    return (event.clientX - left) / width * state.duration;
  };
  bars.addEventListener("pointerdown", (event) => {
    seek(time(event));
    const bar = there.find(([start, end]) => within([[start, end]], time(event) - motion.start_s));
    if (mended && state.mending.on && bar) state.mending.choose({ id, start: inSource(motion, bar[0]), end: inSource(motion, bar[1]) });
    else bars.setPointerCapture(event.pointerId);
  });
  bars.addEventListener("pointermove", (event) => { if (event.buttons) seek(time(event)); });
}

/** Spells of a motion's own time, as far as they lie between two times of the source. */
function clipped(motion, spells, start, end) {
  const shift = source(motion.start_s);
  return spells.map(([a, b]) => [Math.max(a, start - shift), Math.min(b, end - shift)]).filter(([a, b]) => b - a > 1e-6);
}

/** Spells less others. */
function without(spells, holes) {
  return holes.reduce((left, [from, to]) => left.flatMap(([a, b]) => (to <= a || from >= b ? [[a, b]]
    : [[a, from], [to, b]].filter(([c, d]) => d - c > 1e-6))), spells);
}

/** A time of a motion as one of the source, to the millisecond below: the frame that begins then is after it. */
const inSource = (motion, time) => floored(source(motion.start_s + time));
const floored = (time) => Math.floor(1000 * time + 1e-3) / 1000;

function mend() {
  const [motion] = state.motions, { times_s } = data.frames;
  state.mending = Mending({
    ids: motion.people.map((one) => one.id),
    now: () => floored(source(times_s[Math.max(times_s.findLastIndex((each) => each <= state.time + 1e-3), 0)])),
    show: (spells) => {
      for (const one of motion.people) one.spells = spells.get(one.id);
      document.body.classList.toggle("mending", state.mending.on);
      lanes();
      refresh();
    },
  });
}

/** Show what keys do, or not. */
function help(on = $("help").hidden) {
  $("help").hidden = !on;
  $("help-on").ariaPressed = String(on);
  if (on) $("help-off").focus();
}

function wire() {
  const nextEye = eyes();
  $("help-on").addEventListener("click", () => help());
  $("help-off").addEventListener("click", () => help(false));
  $("options-on").addEventListener("click", () => {
    $("options-on").ariaPressed = String(document.body.classList.toggle("with-options"));
  });
  $("overlay-label").hidden = state.motions.length < 2;
  $("options").addEventListener("change", refresh);
  controls.addEventListener("change", refresh);
  new ResizeObserver(refresh).observe($("view"));
  $("play").addEventListener("click", () => play());
  $("time").addEventListener("input", () => seek(Number($("time").value)));
  document.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: -1, ArrowRight: 1 }, ends = { Home: () => 0, End: () => state.duration };
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select, #edit-number")) return;
    if (event.key === " ") play();
    else if (event.key in moves) step(moves[event.key] * (event.shiftKey ? Math.round(state.fps) : 1));
    else if (event.key in ends) seek(ends[event.key]());
    else if (event.key.toLowerCase() === "c") nextEye();
    else if (event.key.toLowerCase() === "f") lookAtThem();
    else if (event.key.toLowerCase() === "a") { lookFrom(state.first); refresh(); }
    else if (event.key === "?" || event.key.toLowerCase() === "h") help();
    else if (event.key === "Escape" && !$("help").hidden) help(false);
    else return;
    event.preventDefault();
  });
}

/** The start, or when the first people come. */
function opening() {
  const comes = state.motions.flatMap((motion) => motion.people.flatMap((one) => one.there.map(([start]) => motion.start_s + start)));
  return Math.max(Math.min(...comes), 0) || 0;
}

async function start() {
  for (const motion of data.motions) await load(motion);
  state.fps = data.motions[0].fps;
  state.duration = Math.max(...data.motions.map((motion) => motion.start_s + motion.duration_s));
  state.pictures = (data.pictures?.jpegs ?? []).map((jpeg) => new Blob([bytes(jpeg)], { type: "image/jpeg" }));
  Object.assign($("time"), { max: state.duration, step: "any" });
  $("about").textContent = data.about;
  furnish();
  tagged();
  lanes();
  mend();
  wire();
  state.time = opening();
  draw();
  performance.mark("ready"); // what can be seen and moved from here on is all there is
}

start().catch((error) => {
  $("trouble").textContent = `This page cannot show the motion: ${error.message ?? error}`;
  $("trouble").hidden = false;
  console.error(error);
});
})();
