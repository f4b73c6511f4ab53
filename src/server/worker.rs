//! A worker: it answers the requests of the sockets that it is handed, and runs the sessions that come of them.

use std::convert::Infallible;
use std::rc::Rc;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::select;
use tokio::sync::mpsc;
use tokio::time;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};
use warp::filters::BoxedFilter;

use super::accept::{Accepted, Arriving};
use super::{Config, routes};
use crate::hub::Socket;
use crate::session::{Host, Session};

/// A worker: it serves the sockets that it is handed.
#[derive(Debug)]
pub struct Worker {
    /// What its sessions share.
    pub host: Rc<Host>,
    /// What it answers.
    pub routes: BoxedFilter<(warp::reply::Response,)>,
    /// How it serves.
    pub config: Config,
}

impl Worker {
    /// Serves until `stop` fires and every client has been told, but not for longer than a shutdown may take.
    pub async fn run<S: Arriving>(self, mut sockets: mpsc::Receiver<Accepted<S>>, stop: CancellationToken) {
        let worker = Rc::new(self);
        let tasks = TaskTracker::new();
        loop {
            let accepted = select! {
                biased;
                () = stop.cancelled() => break,
                accepted = sockets.recv() => accepted,
            };
            let Some(Accepted { socket, is_full, load }) = accepted else { break };
            match socket.arrive() {
                Ok(socket) => {
                    let here = Rc::clone(&worker);
                    let stop = stop.clone();
                    let sessions = tasks.clone();
                    tasks.spawn_local(async move {
                        if let Some(mut session) = here.requests(socket, is_full, &stop).await {
                            // A task of its own: it is smaller than one that has served requests.
                            sessions.spawn_local(async move {
                                let reason = session.run(stop).await;
                                debug!(?reason, "a client is gone");
                                drop(load);
                            });
                        }
                    });
                }
                Err(error) => warn!(%error, "cannot serve a connection"),
            }
        }
        tasks.close();
        if time::timeout(worker.config.shutdown, tasks.wait()).await.is_err() {
            warn!(connections = tasks.len(), "clients did not close in time");
        }
    }

    /// Serves one connection's requests until it ends or becomes a session.
    async fn requests(&self, socket: Socket, is_full: bool, stop: &CancellationToken) -> Option<Session> {
        let (sender, mut accepted) = mpsc::channel(1);
        let routes = TowerToHyperService::new(warp::service(self.routes.clone()));
        let service = service_fn(move |mut request: http::Request<Incoming>| {
            let version = request.version();
            request.extensions_mut().insert(routes::Request { version, is_full });
            let response = hyper::service::Service::call(&routes, request);
            let sender = sender.clone();
            async move {
                let mut response = response.await?;
                if let Some(upgrade) = response.extensions_mut().remove::<routes::Upgrade>() {
                    // A connection is upgraded once.
                    let _ = sender.try_send(upgrade);
                }
                Ok::<_, Infallible>(response)
            }
        });
        let mut connection = Box::pin(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(self.config.header_timeout)
                .max_headers(self.config.max_headers)
                .max_buf_size(self.config.max_header_bytes)
                .serve_connection(TokioIo::new(socket), service)
                .with_upgrades(),
        );
        let served = select! {
            biased;
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                time::timeout(self.host.config.close_timeout, &mut connection).await.unwrap_or(Ok(()))
            }
            served = &mut connection => served,
        };
        // The other end of a handshake that failed: the upgrade waits for as long as it is there.
        drop(connection);
        if let Err(error) = served {
            debug!(%error, "a connection ended");
        }
        let routes::Upgrade { socket, stream } = accepted.try_recv().ok()?;
        let upgraded = socket.await.inspect_err(|error| debug!(%error, "an upgrade came to nothing")).ok()?;
        let parts = upgraded.downcast::<TokioIo<Socket>>().expect("it is the socket that it was");
        Some(Session::new(parts.io.into_inner(), &parts.read_buf, &stream, Rc::clone(&self.host)))
    }
}
